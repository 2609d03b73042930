/**
 * Keeps the page itself, so that it opens without a network; conversations are in IndexedDB.
 *
 * The page is taken from the network when there is one. What it names (scripts and styles, whose names change with their
 * content) is kept with it in one cache per version; the cache of an older version goes when a newer page is here.
 */

const PREFIX = "threadline-page-";
const SHELL = new URL("./", self.location).href;

self.addEventListener("install", (event) => {
  event.waitUntil(fetchPage().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate" && url.pathname === new URL(SHELL).pathname) event.respondWith(page());
  else if (url.pathname.includes("/assets/") || /\.(svg|webmanifest)$/.test(url.pathname)) event.respondWith(asset(request));
});

async function page() {
  try {
    return await fetchPage();
  } catch {
    const kept = await caches.match(SHELL);
    return kept ?? Response.error();
  }
}

/** The page from the network, kept together with what it names. */
async function fetchPage() {
  const response = await fetch(SHELL, { cache: "no-cache" });
  if (!response.ok) return response;
  const text = await response.clone().text();
  const name = PREFIX + (await digest(text));
  if (await caches.has(name)) return response;
  const cache = await caches.open(name);
  await cache.put(SHELL, response.clone());
  await cache.addAll([...text.matchAll(/(?:src|href)="(\.\/[^"]+)"/g)].map(([, path]) => new URL(path, SHELL).href));
  const older = (await caches.keys()).filter((key) => key.startsWith(PREFIX) && key !== name);
  await Promise.all(older.map((key) => caches.delete(key)));
  return response;
}

/** Names change with content, so what is kept is never old; what is asked for later is kept too. */
async function asset(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  const name = (await caches.keys()).find((key) => key.startsWith(PREFIX));
  if (response.ok && name) await (await caches.open(name)).put(request, response.clone());
  return response;
}

async function digest(text) {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(bytes).slice(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
