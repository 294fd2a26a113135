// People of the tests: users with their SDK, and the operator.

import { randomUUID } from 'node:crypto';
import { marketplaceSdk } from './sdk.js';
import { grant, request } from './raw.js';

export const PASSWORD = 'correct horse battery';

/** An address that nobody has. */
export function freshEmail(name = 'user') {
  return `${name}-${randomUUID()}@example.com`;
}

// One sign-up after the other: the server answers 429 when passwords wait longer than two seconds
// for their hash, which a debug build on a busy machine can reach.
let turn = Promise.resolve();

/**
 * A new user who is logged in.
 *
 * @returns {Promise<{sdk: object, id: object, email: string}>} `id` is an SDK UUID
 */
export function signUp(stoa, fields = {}, sdkOptions = {}) {
  const person = turn.then(() => join(stoa, fields, sdkOptions));
  turn = person.catch(() => {});
  return person;
}

async function join(stoa, fields, sdkOptions) {
  const sdk = marketplaceSdk(stoa, sdkOptions);
  const email = fields.email ?? freshEmail();
  const created = await sdk.currentUser.create({
    password: PASSWORD,
    firstName: 'Olli',
    lastName: 'Foobar',
    ...fields,
    email,
  });
  await sdk.login({ username: email, password: PASSWORD });
  return { sdk, email, id: created.data.data.id };
}

/** The same person in the trusted context of a server, as the web template makes it. */
export async function trusted(stoa, person) {
  const exchanged = await person.sdk.exchangeToken();
  return marketplaceSdk(stoa, { token: exchanged.data });
}

/** The access token that a person's SDK holds. */
export function accessToken(person) {
  return person.sdk.store.getToken().access_token;
}

/** The operator, by JSON. */
export class Operator {
  /** Signs in with the credentials of the server. */
  static async signIn(stoa) {
    const answer = await grant(stoa, {
      grant_type: 'password',
      scope: 'operator',
      username: stoa.credentials.operatorEmail,
      password: stoa.credentials.operatorPassword,
    });
    if (answer.status !== 200) throw new Error(`operator sign-in: ${answer.status} ${answer.text}`);
    return new Operator(stoa, answer.body);
  }

  constructor(stoa, token) {
    this.stoa = stoa;
    this.token = token;
  }

  /** GET `/v1/operator_api/<path>`. */
  get(path) {
    return request(this.stoa, `/v1/operator_api/${path}`, { token: this.token.access_token });
  }

  /** POST `/v1/operator_api/<path>`. */
  post(path, json) {
    return request(this.stoa, `/v1/operator_api/${path}`, { token: this.token.access_token, json });
  }

  /** POST that must work; its body. */
  async does(path, json) {
    const answer = await this.post(path, json);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  /** Moves domain time forward; all that became due has run when it returns. */
  async advance({ days = 0, hours = 0, seconds = 0 }) {
    const all = days * 86_400 + hours * 3_600 + seconds;
    if (this.stoa.advance) return this.stoa.advance(all);
    return this.does('clock/advance', { seconds: all });
  }

  /** Makes a key of extended data searchable. */
  async searchable(key, schemaType, more = {}) {
    return this.does('search_schemas/set', {
      key,
      scope: 'public',
      schemaType,
      schemaFor: 'listing',
      ...more,
    });
  }
}
