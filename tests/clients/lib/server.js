// A marketplace on loopback, ended with the test file: a `stoa dev` process on a fresh data folder,
// or with STOA_MODE=distributed a process per service on PostgreSQL (`stoa-cluster` of the testkit).

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import assert from 'node:assert/strict';
import { folderMailbox, startMailServer } from './mailbox.js';

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

const READY_WITHIN_MS = 60_000;
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

  if (process.env.STOA_MODE === 'distributed') {
    const cluster = process.env.STOA_CLUSTER_BIN;
    assert.ok(
      cluster && existsSync(cluster),
      'STOA_CLUSTER_BIN must hold the path of stoa-cluster (cargo xtask test sets it)'
    );
    return beginCluster(path.resolve(cluster), env);
  }
  const data = await mkdtemp(path.join(tmpdir(), 'stoa-clients-'));
  atTheEnd(() => rm(data, { recursive: true, force: true }));
  return begin(path.resolve(binary), data, { virtualClock, env });
}

/** Starts the binary on a data folder. */
async function begin(binary, data, { virtualClock, env }) {
  const args = ['dev', '--data', data, '--listen', '127.0.0.1:0', '--management', '127.0.0.1:0'];
  if (virtualClock) args.push('--virtual-clock');
  const { log, ready, stop } = run('stoa dev', binary, args, {
    STOA_STORAGE__SYNCHRONOUS: 'normal',
    ...env,
  });
  const credentials = await ready;
  const restart = async () => {
    await stop();
    return begin(binary, data, { virtualClock, env });
  };
  return new Stoa(credentials, data, log, restart);
}

/** Starts a process per service. Time is not moved there: what waits for it is made due earlier. */
async function beginCluster(binary, env) {
  // Registered first, so that it ends after the processes that write to it.
  const mail = await startMailServer();
  atTheEnd(mail.close);
  const { child, log, ready } = run('stoa-cluster', binary, [], { ...mail.env, ...env });
  const credentials = await ready;
  // Every command is answered by one line, in its order.
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', line => waiting.shift()?.(JSON.parse(line)));
  const command = async text => {
    const answer = new Promise(resolve => waiting.push(resolve));
    child.stdin.write(`${text}\n`);
    const said = await within(STOPPED_WITHIN_MS, answer, () => `no answer to ${text}:\n${log()}`);
    assert.equal(said.error, undefined);
  };
  let moved = 0;
  const advance = async seconds => {
    await command(`advance ${seconds}`);
    moved += seconds * 1000;
    return { data: { now: new Date(Date.now() + moved).toISOString() } };
  };
  const stoa = new Stoa(credentials, null, log, null, advance);
  stoa.mailbox = mail.mailbox;
  stoa.command = command;
  stoa.restart = async () => {
    await command('restart');
    return stoa;
  };
  return stoa;
}

/** Runs a server that prints its credentials once it is ready, and ends it with the test file. */
function run(name, binary, args, env) {
  const child = spawn(binary, args, {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
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
    const end = await within(STOPPED_WITHIN_MS, ended, () => `${name} did not stop on SIGTERM`);
    assert.deepEqual(end, { code: 0, signal: null }, `${name} ended badly:\n${log.slice(-4000)}`);
    assert.ok(!log.includes('panicked'), `${name} panicked:\n${log.slice(-4000)}`);
  };
  atTheEnd(stop);

  const ready = within(
    READY_WITHIN_MS,
    Promise.race([
      firstDocument(child.stdout),
      ended.then(end => assert.fail(`${name} ended at once: ${JSON.stringify(end)}\n${log}`)),
    ]),
    () => `${name} is not ready:\n${log}`
  );
  return { child, log: () => log, ready, stop };
}

/** A running server and what its clients need. */
export class Stoa {
  constructor(credentials, data, log, restart, advance = null) {
    this.credentials = credentials;
    this.baseUrl = credentials.baseUrl;
    /** The data folder; null for a server that this file did not start. */
    this.data = data;
    /** What the server has written to standard error. */
    this.log = log;
    /** Stops the process and starts another one on the same data; it may have another address. */
    this.restart = restart;
    /** Makes due what is due in so many seconds; null where the operator moves the clock. */
    this.advance = advance;
    /** Mails that were sent; null for a server that this file did not start. */
    this.mailbox = data === null ? null : folderMailbox(path.join(data, 'outbox'));
  }
}

/** The first complete JSON document of a stream. */
function firstDocument(stream) {
  return new Promise((resolve, reject) => {
    let text = '';
    const read = chunk => {
      text += chunk;
      try {
        resolve(JSON.parse(text));
        stream.off('data', read);
      } catch {
        // Not complete yet.
      }
    };
    stream.setEncoding('utf8').on('data', read);
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
