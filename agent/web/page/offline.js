// Keeping what the page is made of, so that it opens while the agent is down (sw.js).

import { read, write } from "./common/browser_store.js";

const CACHE = "ksef-agent.page";
const SETTINGS = "ksef-agent.settings";

/** The agent's settings for the page as they were last time; null on the first visit. */
export const lastSettings = () => read(SETTINGS);

export const keepSettings = (settings) => write(SETTINGS, settings);

/** Needs https or loopback; elsewhere browsers have no service workers, and the page opens when the agent does. */
export async function keepPage() {
  if (!navigator.serviceWorker || !window.caches) return;
  await navigator.serviceWorker.register("/sw.js");
  const cache = await caches.open(CACHE);
  const parts = performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname);
  await cache.addAll([...new Set(parts.filter((path) => path.startsWith("/page/")))]);
  await cache.put("/", await fetch("/?demo")); // with it there is no redirect, which a navigation would refuse
}
