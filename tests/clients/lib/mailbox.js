// Mails that a server sent: `.eml` files below its data folder, or, where processes have none, what
// a mail server of the test took.

import { createServer } from 'node:net';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from './eventually.js';

/** A mail is handed over at once; a busy machine and another replica may take some seconds. */
const ARRIVES_WITHIN_MS = 15_000;

export class Mailbox {
  /** @param {() => Promise<string[]>} read gives every message there is, in the order of arrival */
  constructor(read) {
    this.read = read;
  }

  /** The mails to an address, oldest first. */
  async to(address) {
    const all = (await this.read()).map(parse);
    return all.filter(mail => mail.to === address);
  }

  /** Waits for the `count`th mail to an address whose subject fits, and gives that one. */
  async arrival(address, subject = /./, count = 1) {
    return eventually(
      `mail ${count} to ${address} about ${subject}`,
      async () => (await this.to(address)).filter(mail => subject.test(mail.subject))[count - 1],
      ARRIVES_WITHIN_MS
    );
  }
}

/** The mailbox of a folder of `.eml` files. */
export function folderMailbox(folder) {
  return new Mailbox(async () => {
    let names;
    try {
      names = await readdir(folder);
    } catch (error) {
      if (error.code === 'ENOENT') return [];
      throw error;
    }
    const files = names.filter(name => name.endsWith('.eml')).map(name => path.join(folder, name));
    const aged = await Promise.all(
      files.map(async file => [(await stat(file)).mtimeMs, await readFile(file, 'utf8')])
    );
    return aged.sort(([one], [two]) => one - two).map(([, text]) => text);
  });
}

/**
 * A mail server on loopback that takes everything (RFC 5321, as much as a sender needs).
 *
 * @returns {Promise<{mailbox: Mailbox, env: Record<string, string>, close: () => Promise<void>}>}
 *   `env` makes a server use it
 */
export async function startMailServer() {
  const taken = [];
  const open = new Set();
  const server = createServer(socket => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {});
    converse(socket, message => taken.push(message));
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    mailbox: new Mailbox(async () => taken),
    env: {
      STOA_MAIL__HOST: '127.0.0.1',
      STOA_MAIL__PORT: String(server.address().port),
      STOA_MAIL__TLS: 'none',
      STOA_MAIL__FROM_ADDRESS: 'market@example.com',
    },
    close: () => {
      for (const socket of open) socket.destroy();
      return new Promise(resolve => server.close(resolve));
    },
  };
}

function converse(socket, take) {
  let text = '';
  let inMessage = false;
  socket.setEncoding('utf8');
  socket.write('220 test ready\r\n');
  socket.on('data', chunk => {
    text += chunk;
    for (;;) {
      const end = inMessage ? '\r\n.\r\n' : '\r\n';
      const at = text.indexOf(end);
      if (at < 0) return;
      const part = text.slice(0, at);
      text = text.slice(at + end.length);
      if (inMessage) {
        inMessage = false;
        take(part.replace(/^\.\./gm, '.'));
        socket.write('250 taken\r\n');
      } else if (/^DATA$/i.test(part)) {
        inMessage = true;
        socket.write('354 go on\r\n');
      } else if (/^QUIT$/i.test(part)) {
        socket.end('221 bye\r\n');
      } else {
        socket.write('250 fine\r\n');
      }
    }
  });
}

/** The message in parts; `token` is that of its link. */
function parse(message) {
  const split = message.indexOf('\r\n\r\n');
  const headers = message.slice(0, split).replace(/\r\n[ \t]/g, ' ');
  const header = name => new RegExp(`^${name}: (.*)$`, 'mi').exec(headers)?.[1].trim() ?? '';
  const part = type => {
    const begin = message.indexOf(`Content-Type: ${type}`);
    const body = message.slice(message.indexOf('\r\n\r\n', begin)).split('\r\n--')[0];
    return Buffer.from(body, 'base64').toString('utf8');
  };
  const text = part('text/plain');
  return {
    to: header('To').replace(/^.*<|>$/g, ''),
    subject: decoded(header('Subject')),
    headers,
    text,
    html: part('text/html'),
    token: /[?&]t=([\w-]+)/.exec(text)?.[1],
  };
}

/** Encoded words of a header (RFC 2047), as far as this server writes them. */
function decoded(text) {
  return text
    .replace(/\?= +=\?/g, '?==?')
    .replace(/=\?utf-8\?b\?([^?]*)\?=/gi, (_, word) => Buffer.from(word, 'base64').toString('utf8'));
}
