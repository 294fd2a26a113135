// A `stoa dev` process on a fresh data folder, on loopback, ended with the test file.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import assert from 'node:assert/strict';

// The SDKs read proxies from the environment; loopback must not go through one.
process.env.NO_PROXY = process.env.no_proxy = '127.0.0.1,localhost';

// Registered while the test file loads, so that it runs after the last test of the file.
const endings = [];
after(async () => {
  for (const end of endings.reverse()) await end();
});

/** Runs `end` after the last test of the file; what was begun last ends first. */
export function atTheEnd(end) {
  endings.push(end);
}

const READY_WITHIN_MS = 30_000;
const STOPPED_WITHIN_MS = 30_000;

/**
 * Starts a server for this test file, and stops it after the last test.
 *
 * With STOA_CREDENTIALS (path of a credentials.json) a server that runs already is used instead.
 *
 * @param {{virtualClock?: boolean, env?: Record<string, string>}} options
 * @returns {Promise<Stoa>}
 */
export async function startStoa({ virtualClock = false, env = {} } = {}) {
  if (process.env.STOA_CREDENTIALS) {
    const text = await readFile(process.env.STOA_CREDENTIALS, 'utf8');
    return new Stoa(JSON.parse(text), null, () => '', null);
  }
  const binary = process.env.STOA_BIN;
  assert.ok(binary, 'STOA_BIN must hold the path of the stoa binary (cargo xtask test sets it)');
  assert.ok(existsSync(binary), `STOA_BIN: there is no file ${binary}`);

  const data = await mkdtemp(path.join(tmpdir(), 'stoa-clients-'));
  atTheEnd(() => rm(data, { recursive: true, force: true }));
  return begin(path.resolve(binary), data, { virtualClock, env });
}

/** Starts the binary on a data folder. */
async function begin(binary, data, { virtualClock, env }) {
  const args = ['dev', '--data', data, '--listen', '127.0.0.1:0', '--management', '127.0.0.1:0'];
  if (virtualClock) args.push('--virtual-clock');
  const child = spawn(binary, args, {
    env: { ...process.env, STOA_STORAGE__SYNCHRONOUS: 'normal', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', text => (log += text));
  const ended = new Promise(resolve =>
    child.once('exit', (code, signal) => resolve({ code, signal }))
  );
  // A test process that breaks off leaves no server behind.
  process.once('exit', () => child.kill('SIGKILL'));
  let asked = false;
  const stop = async () => {
    if (asked) return;
    asked = true;
    child.kill('SIGTERM');
    const end = await within(STOPPED_WITHIN_MS, ended, () => 'stoa dev did not stop on SIGTERM');
    assert.deepEqual(end, { code: 0, signal: null }, `stoa dev ended badly:\n${log.slice(-4000)}`);
    assert.ok(!log.includes('panicked'), `stoa dev panicked:\n${log.slice(-4000)}`);
  };
  atTheEnd(stop);

  const credentials = await within(
    READY_WITHIN_MS,
    Promise.race([
      firstDocument(child.stdout),
      ended.then(end => assert.fail(`stoa dev ended at once: ${JSON.stringify(end)}\n${log}`)),
    ]),
    () => `stoa dev is not ready:\n${log}`
  );
  const restart = async () => {
    await stop();
    return begin(binary, data, { virtualClock, env });
  };
  return new Stoa(credentials, data, () => log, restart);
}

/** A running server and what its clients need. */
export class Stoa {
  constructor(credentials, data, log, restart) {
    this.credentials = credentials;
    this.baseUrl = credentials.baseUrl;
    /** The data folder; null for a server that this file did not start. */
    this.data = data;
    /** What the server has written to standard error. */
    this.log = log;
    /** Stops the process and starts another one on the same data; it has another address. */
    this.restart = restart;
  }
}

/** The first complete JSON document of a stream. */
function firstDocument(stream) {
  return new Promise((resolve, reject) => {
    let text = '';
    stream.setEncoding('utf8').on('data', chunk => {
      text += chunk;
      try {
        resolve(JSON.parse(text));
      } catch {
        // Not complete yet.
      }
    });
    stream.once('end', () => reject(new Error(`no credentials on standard output: ${text}`)));
  });
}

function within(ms, promise, message) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(message())), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
