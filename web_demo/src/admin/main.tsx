import "../ui/styles/base.css";
import "./admin.css";
import { render } from "preact";
import { startAppearance } from "../ui/appearance.ts";
import { AdminPage } from "./admin_page.tsx";

await startAppearance();
render(<AdminPage />, document.getElementById("app")!);
