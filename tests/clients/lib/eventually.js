import { setTimeout as pause } from 'node:timers/promises';

/**
 * For what the contract gives one second: a debug build on a busy machine gets three. The figure
 * itself is measured with the release build by `cargo xtask bench`.
 */
export const SOON_MS = 3_000;

/**
 * Asks again until `look` returns something truthy, and returns that.
 *
 * Only for what the contract itself allows to come later: events and search (1 s), a ban (1 s),
 * erasure (60 s), the end of a token. Errors of `look` end the wait at once.
 *
 * @param {string} what what is waited for; names the failure
 * @param {() => Promise<any>} look
 * @param {number} deadlineMs
 */
export async function eventually(what, look, deadlineMs = 5_000) {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (performance.now() > until) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await pause(20);
  }
}
