// A plain proxy on loopback that writes down what a client asks, for checks that count requests.

import http from 'node:http';
import { atTheEnd } from './server.js';

/**
 * Starts a recorder before a server; it ends with the test file.
 *
 * @returns {Promise<Recorder>}
 */
export async function startRecorder(stoa) {
  const seen = [];
  const target = new URL(stoa.baseUrl);
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((asked, answer) => {
    const chunks = [];
    asked.on('data', chunk => chunks.push(chunk));
    asked.on('end', () => {
      const body = Buffer.concat(chunks);
      const entry = {
        method: asked.method,
        path: asked.url.split('?')[0],
        query: asked.url.split('?')[1] ?? '',
        headers: asked.headers,
        body: body.toString('utf8'),
        status: null,
      };
      seen.push(entry);
      const forward = http.request(
        {
          agent,
          host: target.hostname,
          port: target.port,
          method: asked.method,
          path: asked.url,
          headers: { ...asked.headers, host: target.host },
        },
        got => {
          entry.status = got.statusCode;
          answer.writeHead(got.statusCode, got.statusMessage, got.headers);
          got.pipe(answer);
        }
      );
      forward.on('error', error => answer.destroy(error));
      forward.end(body);
    });
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  atTheEnd(() => {
    agent.destroy();
    server.closeAllConnections();
    return new Promise(resolve => server.close(resolve));
  });
  return new Recorder(`http://127.0.0.1:${server.address().port}`, seen);
}

/** Requests that went through. */
class Recorder {
  constructor(baseUrl, seen) {
    this.baseUrl = baseUrl;
    this.seen = seen;
  }

  /** Forgets what was seen. */
  clear() {
    this.seen.length = 0;
  }

  /** Forms sent to the token endpoint, in their order. */
  grants() {
    return this.seen
      .filter(entry => entry.path === '/v1/auth/token')
      .map(entry => Object.fromEntries(new URLSearchParams(entry.body)));
  }

  /** Requests of one path, in their order. */
  to(path) {
    return this.seen.filter(entry => entry.path === path);
  }
}
