// Requests without an SDK: JSON by fetch, and any bytes.

/**
 * One request; never throws for a status.
 *
 * @param {import('./server.js').Stoa} stoa
 * @param {string} path below the origin, with its query
 * @param {object} options
 * @param {string} [options.token] bearer token
 * @param {any} [options.json] body, sent as JSON
 * @param {string | Uint8Array} [options.bytes] body, sent as it is
 * @param {string} [options.type] content type of `bytes`
 * @param {Record<string, string>} [options.headers]
 * @param {string} [options.method] POST with a body, else GET
 */
export async function request(stoa, path, { token, json, bytes, type, headers = {}, method } = {}) {
  const sent = { ...headers };
  if (token) sent.authorization = `Bearer ${token}`;
  let body = bytes;
  if (json !== undefined) {
    body = JSON.stringify(json);
    sent['content-type'] = 'application/json';
  } else if (type) {
    sent['content-type'] = type;
  }
  const answer = await fetch(stoa.baseUrl + path, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: sent,
    body,
  });
  const text = await answer.text();
  const kind = answer.headers.get('content-type') ?? '';
  return {
    status: answer.status,
    headers: answer.headers,
    kind,
    text,
    body: kind.startsWith('application/json') ? JSON.parse(text) : undefined,
  };
}

/** A form to the token API. */
export function form(stoa, path, fields, options = {}) {
  return request(stoa, path, {
    ...options,
    bytes: new URLSearchParams(fields).toString(),
    type: 'application/x-www-form-urlencoded',
  });
}

/** One grant; the answer as it came. */
export function grant(stoa, fields) {
  return form(stoa, '/v1/auth/token', fields);
}

/** An anonymous access token. */
export async function anonymousToken(stoa) {
  const answer = await grant(stoa, {
    client_id: stoa.credentials.marketplaceClientId,
    grant_type: 'client_credentials',
    scope: 'public-read',
  });
  return answer.body.access_token;
}

/** An Integration access token. */
export async function integrationToken(stoa) {
  const answer = await grant(stoa, {
    client_id: stoa.credentials.integrationClientId,
    client_secret: stoa.credentials.integrationClientSecret,
    grant_type: 'client_credentials',
    scope: 'integ',
  });
  return answer.body.access_token;
}
