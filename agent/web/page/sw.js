// The page opens while the agent is down: what it was made of last time comes from the cache that offline.js fills. The
// agent itself is asked first, so a new version is never held back; nothing of /v1 is kept.

const CACHE = "ksef-agent.page";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (pathname === "/" || pathname.startsWith("/page/")) event.respondWith(fromAgentOrCache(request, pathname));
});

async function fromAgentOrCache(request, pathname) {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await caches.match(pathname, { cacheName: CACHE, ignoreVary: true });
    if (kept) return kept;
    throw error;
  }
}
