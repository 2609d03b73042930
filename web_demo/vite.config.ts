import { defineConfig } from "vitest/config";

const server = process.env["THREADLINE_URL"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    // Inlined assets would be data: URLs, which a strict content security policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: ["index.html", "admin.html"] },
  },
  server: {
    proxy: {
      "/api": server,
      "/sync": { target: server, ws: true },
    },
  },
  test: {
    environment: "node",
    include: ["tests/**/*.test.ts"],
    testTimeout: 10_000,
  },
});
