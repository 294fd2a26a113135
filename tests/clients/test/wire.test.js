// Formats, envelope and HTTP.

import assert from 'node:assert/strict';
import http from 'node:http';
import { before, test } from 'node:test';
import transitJs from 'transit-js';
import { startStoa } from '../lib/server.js';
import { BigDecimal, LatLng, Money, UUID, integrationSdk, marketplaceSdk, transit } from '../lib/sdk.js';
import { Operator, PASSWORD, accessToken, freshEmail, signUp } from '../lib/people.js';
import { ask, publish, unknownId } from '../lib/market.js';
import { anonymousToken, grant, integrationToken, request } from '../lib/raw.js';
import { plain, refused } from '../lib/expect.js';

const TRANSIT = 'application/transit+json';

let stoa;
let person;
let token;
let anonymous;

before(async () => {
  stoa = await startStoa();
  person = await signUp(stoa);
  token = accessToken(person);
  anonymous = await anonymousToken(stoa);
});

/** A body of Transit to a path of the Marketplace API, as it stands. */
function post(path, bytes, { headers = {}, type = TRANSIT, as = token } = {}) {
  return request(stoa, `/v1/api/${path}`, {
    token: as,
    bytes,
    type,
    headers: { accept: 'application/json', ...headers },
  });
}

/** The same read in all three formats; what each of them says, in plain values. */
async function inEveryFormat(path, bearer) {
  const ask = headers => request(stoa, path, { token: bearer, headers });
  const [json, compact, verbose] = await Promise.all([
    ask({ accept: 'application/json' }),
    ask({ accept: TRANSIT }),
    ask({ accept: TRANSIT, 'x-transit-verbose': 'true' }),
  ]);
  assert.deepEqual([json.status, compact.status, verbose.status], [200, 200, 200], path);
  assert.match(compact.kind, /^application\/transit\+json/);
  assert.match(compact.text, /^\["\^ ",/);
  assert.match(verbose.kind, /^application\/transit\+json/);
  assert.match(verbose.text, /^\{"~:/);
  return {
    json: json.body,
    compact: plain(transit.read(compact.text)),
    verbose: plain(transit.read(verbose.text)),
  };
}

// contract: wire 1, 2, W5, engine walk F2
test('compact Transit, verbose Transit and JSON of the same read say the same', async () => {
  const operator = await Operator.signIn(stoa);
  const [provider, customer] = await Promise.all([
    signUp(stoa, { publicData: { a: [1, { b: null }], 'with space': 2.5 } }),
    signUp(stoa),
  ]);
  const listing = await publish(provider, {
    price: new Money(2500, 'EUR'),
    geolocation: new LatLng(60.16, 24.94),
    publicData: { list: ['x', true, false, 0, -1.5, 9007199254740991] },
  });
  const id = await ask(stoa, customer, listing, { protectedData: { note: '~ü^' } });
  await customer.sdk.messages.send({ transactionId: id, content: '~:not a keyword' });
  await provider.sdk.transactions.transition({ id, transition: 'transition/decline', params: {} });
  const integ = await integrationToken(stoa);
  const include = 'listing,listing.author,provider,customer,booking,messages,messages.sender,reviews';
  for (const [path, bearer] of [
    ['/v1/api/marketplace/show', anonymous],
    [`/v1/api/users/show?id=${provider.id.uuid}&include=profileImage`, anonymous],
    [`/v1/api/listings/show?id=${listing.uuid}&include=author,images,currentStock`, anonymous],
    [`/v1/api/listings/query?ids=${listing.uuid}&include=author`, anonymous],
    ['/v1/api/current_user/show?include=effectivePermissionSet', accessToken(provider)],
    ['/v1/api/own_listings/query?include=images', accessToken(provider)],
    [`/v1/api/own_listings/show?id=${listing.uuid}`, accessToken(provider)],
    [`/v1/api/transactions/show?id=${id.uuid}&include=${include}`, accessToken(customer)],
    ['/v1/api/transactions/query?include=listing,customer', accessToken(customer)],
    [`/v1/api/messages/query?transactionId=${id.uuid}&include=sender`, accessToken(customer)],
    ['/v1/api/process_transitions/query?processAlias=free-request/release-1', accessToken(customer)],
    [`/v1/api/reviews/query?listing_id=${listing.uuid}`, anonymous],
    [`/v1/integration_api/users/show?id=${provider.id.uuid}`, integ],
    [`/v1/integration_api/listings/query?authorId=${provider.id.uuid}`, integ],
    [`/v1/integration_api/transactions/show?id=${id.uuid}`, integ],
    [`/v1/integration_api/events/query?resourceId=${provider.id.uuid}`, integ],
    ['/v1/operator_api/users/query?perPage=5', operator.token.access_token],
    ['/v1/operator_api/search_schemas/query', operator.token.access_token],
  ]) {
    const { json, compact, verbose } = await inEveryFormat(path, bearer);
    assert.deepEqual(compact, json, path);
    assert.deepEqual(verbose, json, path);
    assert.ok(json.data, path);
  }
});

// contract: wire 1.2, 1.3, 1.6
test('the bytes of Transit use the tags and keywords of the contract', async () => {
  const id = await publish(person, { price: new Money(2500, 'EUR'), geolocation: new LatLng(60.16, 24.94) });
  const path = `/v1/api/listings/show?id=${id.uuid}`;
  const verbose = await request(stoa, path, {
    token: anonymous,
    headers: { accept: TRANSIT, 'x-transit-verbose': 'true' },
  });
  const { '~:data': data } = JSON.parse(verbose.text);
  assert.equal(data['~:id'], `~u${id.uuid}`);
  assert.equal(data['~:type'], '~:listing');
  const attributes = data['~:attributes'];
  assert.deepEqual(attributes['~:price'], { '~#mn': [2500, 'EUR'] });
  assert.deepEqual(attributes['~:geolocation'], { '~#geo': [60.16, 24.94] });
  assert.equal(attributes['~:state'], '~:published');
  assert.match(attributes['~:createdAt'], /^~t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

  const compact = await request(stoa, path, { token: anonymous, headers: { accept: TRANSIT } });
  const reader = transitJs.reader('json', {
    mapBuilder: {
      init: () => ({}),
      add: (map, key, value) => Object.assign(map, { [transitJs.isKeyword(key) ? key.name() : key]: value }),
      finalize: map => map,
    },
  });
  const document = reader.read(compact.text);
  assert.ok(transitJs.isKeyword(document.data.type));
  assert.ok(transitJs.isUUID(document.data.id));
  assert.ok(transitJs.isTaggedValue(document.data.attributes.price));
  assert.equal(document.data.attributes.price.tag, 'mn');
});

// contract: wire W1
test('every request body of the contract is read as it is meant', async () => {
  const id = await publish(person, { publicData: { color: 'blue' } });
  for (const [path, bytes] of [
    // rows 1, 2, 3, 7 and 8
    [
      'own_listings/create',
      '["^ ","~:title","Bike","~:price",["~#mn",[2500,"EUR"]],"~:geolocation",["~#geo",[60.16,24.94]],"~:publicData",["^ ","~:color","red","~:gears",3]]',
    ],
    ['own_listings/create', '{"~:title":"Bike","~:price":{"~#mn":[2500,"EUR"]}}'],
    ['own_listings/close', `["^ ","~:id","~u${id.uuid}"]`],
    [
      'own_listings/update',
      `["^ ","~:id","${id.uuid}","~:publicData",["^ ","~:color",null,"~:tags",[],"~:nested",["^ "]]]`,
    ],
    ['current_user/update_profile', '["^ "]'],
  ]) {
    const answer = await post(`${path}?expand=true`, bytes);
    assert.equal(answer.status, 200, `${path} ${bytes}: ${answer.text}`);
    if (bytes.includes('~:nested')) {
      assert.deepEqual(answer.body.data.attributes.publicData, { tags: [], nested: {} });
    }
    if (bytes.includes('"~:price"')) {
      assert.deepEqual(answer.body.data.attributes.price, { amount: 2500, currency: 'EUR' });
    }
  }
  // row 9
  const escaped = '["^ ","~:a","~~tilde","~:b","~^hat","~:c","~`tick","~:d","~^ ","~:e","~~#tag","~:f","~^0"]';
  const stored = await post(
    'current_user/update_profile?expand=true',
    `["^ ","~:publicData",${escaped}]`
  );
  assert.deepEqual(stored.body.data.attributes.profile.publicData, {
    a: '~tilde',
    b: '^hat',
    c: '`tick',
    d: '^ ',
    e: '~#tag',
    f: '^0',
  });
});

// contract: wire W1, row 5
test('cache codes of line items are read back to the items', async () => {
  const provider = await signUp(stoa);
  const listing = await publish(provider);
  const exchanged = (await person.sdk.exchangeToken()).data.access_token;
  const bytes =
    `["^ ","~:processAlias","free-request/release-1","~:transition","transition/request","~:params",` +
    `["^ ","~:listingId","~u${listing.uuid}","~:lineItems",` +
    `[["^ ","~:code","line-item/day","~:unitPrice",["~#mn",[1000,"EUR"]],"~:quantity","~f2"],` +
    `["^ ","^5","line-item/fee","^6",["^7",[500,"EUR"]],"^8","~f1"]]]]`;
  const answer = await post('transactions/initiate?expand=true', bytes, { as: exchanged });
  assert.equal(answer.status, 200, answer.text);
  const items = answer.body.data.attributes.lineItems;
  assert.deepEqual(
    items.map(item => [item.code, item.unitPrice.amount, item.quantity, item.lineTotal.amount]),
    [
      ['line-item/day', 1000, 2, 2000],
      ['line-item/fee', 500, 1, 500],
    ]
  );
});

// contract: wire W3
test('more than 1936 different keys survive the SDK’s cache codes in both directions', async () => {
  const { sdk } = await signUp(stoa);
  // Keys of three and four characters stand on both sides of the limit of what is cached. Every
  // key comes twice, so that codes are used on both sides of the turn of the cache. The maps are
  // small because the SDK's writer fails on large ones whose keys share a hash.
  const maps = Array.from({ length: 350 }, (_, map) =>
    Object.fromEntries(Array.from({ length: 6 }, (_, n) => [`k${(map * 6 + n).toString(36)}`, n]))
  );
  const publicData = { maps, again: maps.slice(-400).reverse() };
  const privateData = { mixed: maps.map(map => ({ ...map, ab: 1, abc: 2, abcd: '~:abcd' })) };
  const answer = await sdk.currentUser.updateProfile({ publicData, privateData }, { expand: true });
  const { profile } = answer.data.data.attributes;
  assert.deepEqual(profile.publicData, publicData);
  assert.deepEqual(profile.privateData, privateData);
  const shown = await sdk.currentUser.show();
  assert.deepEqual(shown.data.data.attributes.profile.privateData, privateData);
});

// contract: wire W3
test('random documents survive the official writer and reader in all formats', async () => {
  const random = generator(20261122);
  const store = person.sdk.store.getToken();
  const compact = marketplaceSdk(stoa, { token: store });
  const verbose = marketplaceSdk(stoa, { token: store, verbose: true });
  for (let round = 0; round < 40; round += 1) {
    const privateData = { doc: [randomValue(random, 4)] };
    const writer = round % 2 ? verbose : compact;
    const reader = round % 3 ? verbose : compact;
    await writer.currentUser.updateProfile({ privateData });
    const shown = await reader.currentUser.show();
    assert.deepEqual(shown.data.data.attributes.profile.privateData, privateData, `round ${round}`);
    const json = await request(stoa, '/v1/api/current_user/show', { token });
    assert.deepEqual(json.body.data.attributes.profile.privateData, privateData, `round ${round}`);
  }
});

/** A small deterministic source of numbers in [0, 1). */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const WORDS = ['', '~', '^', '^ ', '^0', '`', '~:a', '~u1', '~t', '~#mn', 'a/b', 'with space'].concat(
  ['ä', '日本', '𝄞', '"\\', 'k', 'key', 'keys']
);

function randomValue(random, depth) {
  const pick = list => list[Math.floor(random() * list.length)];
  const kind = Math.floor(random() * (depth > 0 ? 7 : 5));
  if (kind === 0) return null;
  if (kind === 1) return random() < 0.5;
  if (kind === 2) return Math.floor((random() - 0.5) * 2 ** 53);
  if (kind === 3) return Math.round(random() * 1e6) / 1024;
  if (kind === 4) return pick(WORDS) + (random() < 0.5 ? pick(WORDS) : '');
  const size = Math.floor(random() * 5);
  if (kind === 5) return Array.from({ length: size }, () => randomValue(random, depth - 1));
  const map = {};
  for (let n = 0; n < size; n += 1) {
    map[pick(WORDS) + pick(['x', 'y', 'long'])] = randomValue(random, depth - 1);
  }
  return map;
}

// contract: wire W4
test('a verbose body needs no header', async () => {
  const answer = await post('own_listings/create', '{"~:title":"Verbose"}');
  assert.equal(answer.status, 200);
});

// contract: wire W6
test('keys of extended data keep every character in all formats', async () => {
  const publicData = { '~x': 1, '^y': 2, 'a/b': 3, 'with space': 4, 'ключ': 5, '.': 6, '~:kw': 7, '^ ': 8 };
  const { sdk } = await signUp(stoa);
  await sdk.currentUser.updateProfile({ publicData });
  const shown = await sdk.currentUser.show();
  assert.deepEqual(shown.data.data.attributes.profile.publicData, publicData);
  const bearer = sdk.store.getToken().access_token;
  const { json, compact, verbose } = await inEveryFormat('/v1/api/current_user/show', bearer);
  for (const seen of [json, compact, verbose]) {
    assert.deepEqual(seen.data.attributes.profile.publicData, publicData);
  }
});

// contract: wire W7
test('what is no value is a bad request, never more', async () => {
  const listing = (key, value) => `["^ ","~:title","x","~:${key}",${value}]`;
  for (const [bytes, code] of [
    [listing('publicData', '["^ ","~:a","~zNaN"]'), 'validation-invalid-value'],
    [listing('publicData', '["^ ","~:a","~zINF"]'), 'validation-invalid-value'],
    [listing('publicData', '["^ ","~:a","~mNaN"]'), undefined],
    [listing('price', '["~#nothing",[1,"EUR"]]'), undefined],
    [listing('price', '["~#mn",[1]]'), undefined],
    [listing('geolocation', '["~#geo",[100,0]]'), 'validation-invalid-value'],
    ['["^ ","~:title","x"', 'bad-request'],
    ['["^ ","~:title"]', 'bad-request'],
    ['["^ ","^0",1]', 'bad-request'],
    ['not transit', 'bad-request'],
    ['["^ ","~:title","\\ud800"]', undefined],
    ['[1,2,3]', undefined],
    ['"text"', undefined],
    ['['.repeat(5_000), undefined],
  ]) {
    await refused(post('own_listings/create', bytes), 400, code);
  }
  for (const text of [
    '{"title":',
    '',
    'null',
    '[]',
    '{"title":1e999}',
    '{"title":"x","publicData":{"a":"\\u0000"}}',
  ]) {
    const answer = await post('own_listings/create', text, { type: 'application/json' });
    await refused(answer, 400);
  }
  const invalid = await post('own_listings/create', Uint8Array.from([0x5b, 0xff, 0xfe, 0x5d]));
  await refused(invalid, 400);
  const own = await person.sdk.ownListings.query({ keywords: 'x', perPage: 1 });
  assert.equal(own.status, 200);
});

// contract: wire W8
test('a body of another type is refused by its type', async () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    const answer = await post('own_listings/create', '{"title":"x"}', { type });
    await refused(answer, 400, 'unsupported-content-type');
  }
  const wrong = await request(stoa, '/v1/auth/token', { json: { grant_type: 'password' } });
  await refused(wrong, 400, 'unsupported-content-type');
  const withCharset = await post('own_listings/create', '{"title":"x"}', {
    type: 'application/json; charset=utf-8',
  });
  assert.equal(withCharset.status, 200);
});

// contract: wire 2.1
test('the answer has the format that the client likes best', async () => {
  for (const [accept, expected] of [
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/json, application/transit+json', TRANSIT],
    ['application/json, application/transit+json;q=0.5', 'application/json'],
    ['text/html', 'application/json'],
  ]) {
    const answer = await request(stoa, '/v1/api/marketplace/show', {
      token: anonymous,
      headers: accept ? { accept } : {},
    });
    assert.ok(answer.kind.startsWith(expected), `${accept}: ${answer.kind}`);
  }
});

// contract: wire 3.6, W16
test('errors come in the format that was asked for, readable by the SDK', async () => {
  const id = unknownId().uuid;
  const path = `/v1/api/listings/show?id=${id}`;
  const verbose = await request(stoa, path, {
    token: anonymous,
    headers: { accept: TRANSIT, 'x-transit-verbose': 'true' },
  });
  assert.match(verbose.text, /^\{"~:errors"/);
  const compact = await request(stoa, path, { token: anonymous, headers: { accept: TRANSIT } });
  const json = await request(stoa, path, { token: anonymous });
  const shape = errors => errors.map(e => ({ ...e, id: null }));
  const expected = shape(json.body.errors);
  assert.deepEqual(shape(plain(transit.read(compact.text)).errors), expected);
  assert.deepEqual(shape(plain(transit.read(verbose.text)).errors), expected);
  assert.ok(transit.read(compact.text).errors[0].id instanceof UUID);
});

test('an unknown path and a wrong method are not found, in the envelope', async () => {
  await refused(request(stoa, '/v1/api/nothing/here', { token }), 404, 'not-found');
  await refused(request(stoa, '/v1/nothing', { token }), 404, 'not-found');
  await refused(request(stoa, '/v1/api/listings/show', { token, json: {} }), 404, 'not-found');
  await refused(request(stoa, '/v1/api/own_listings/create', { token }), 404, 'not-found');
  await refused(request(stoa, '/v1/api/own_listings/create', { token, method: 'PUT' }), 404);
  const transitAnswer = await request(stoa, '/v1/api/nothing/here', { headers: { accept: TRANSIT } });
  assert.equal(transitAnswer.status, 404);
  assert.match(transitAnswer.kind, /^application\/transit\+json/);
});

test('a body over the limit is too large, also when its length is not declared', async () => {
  const json = { title: 'x', publicData: { a: 'x'.repeat(600_000) } };
  await refused(request(stoa, '/v1/api/own_listings/create', { token, json }), 413);
  const status = await new Promise((resolve, reject) => {
    const url = new URL('/v1/api/own_listings/create', stoa.baseUrl);
    const asked = http.request(
      url,
      { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } },
      answer => {
        answer.resume();
        resolve(answer.statusCode);
      }
    );
    asked.on('error', reject);
    asked.write('{"title":"');
    asked.end('x'.repeat(600_000));
  });
  assert.equal(status, 413);
});

test('ten thousand parameters change nothing and break nothing', async () => {
  const body = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, n]));
  await refused(request(stoa, '/v1/api/own_listings/create', { token, json: body }), 400);
  const query = Array.from({ length: 1_000 }, (_, n) => `k${n}=1`).join('&');
  const answer = await request(stoa, `/v1/api/users/show?${query}`, { token });
  await refused(answer, 400);
  await refused(grant(stoa, Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`k${n}`, '1']))), 400);
});

test('broken escapes and ids in a query are bad requests', async () => {
  for (const query of ['id=%zz', 'id=%ff%fe', 'id=1234', 'id=', 'id=00000000-0000-0000-0000-00000000000g']) {
    await refused(request(stoa, `/v1/api/listings/show?${query}`, { token }), 400);
  }
  for (const query of ['bounds=1,2,3', 'origin=here', 'createdAtStart=soon', 'page=1.5', 'expand=maybe']) {
    await refused(request(stoa, `/v1/api/listings/query?${query}`, { token }), 400);
  }
});

test('a token that is none, foreign or altered is refused with 401', async () => {
  const [header, payload, signature] = token.split('.');
  const recode = change => {
    const claims = JSON.parse(Buffer.from(payload, 'base64url'));
    return Buffer.from(JSON.stringify({ ...claims, ...change })).toString('base64url');
  };
  const algNone = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url');
  for (const bad of [
    'x',
    'a.b.c',
    `${header}.${payload}`,
    `${header}.${payload}.`,
    `${algNone}.${payload}.`,
    `${header}.${recode({ scope: 'trusted:user' })}.${signature}`,
    `${header}.${recode({ exp: 4_000_000_000 })}.${signature}`,
    `${token}x`,
    'x'.repeat(10_000),
  ]) {
    const answer = await request(stoa, '/v1/api/current_user/show', { token: bad });
    await refused(answer, 401, 'auth-invalid-access-token');
  }
  const basic = await request(stoa, '/v1/api/current_user/show', {
    headers: { authorization: 'Basic dXNlcjpwYXNz' },
  });
  await refused(basic, 401);
  const lower = await request(stoa, '/v1/api/current_user/show', {
    headers: { authorization: `bearer ${token}` },
  });
  assert.equal(lower.status, 200, 'the scheme is compared without letter case');
});

// contract: wire 2.1, 5
test('large answers are compressed for those who take it, and every answer says what it varies by', async () => {
  const author = await signUp(stoa);
  for (let n = 0; n < 5; n += 1) await publish(author, { description: 'many words '.repeat(100) });
  const get = encoding =>
    new Promise((resolve, reject) => {
      const url = new URL('/v1/api/own_listings/query', stoa.baseUrl);
      const headers = { authorization: `Bearer ${accessToken(author)}`, 'accept-encoding': encoding };
      http
        .get(url, { headers }, answer => {
          const chunks = [];
          answer.on('data', chunk => chunks.push(chunk));
          answer.on('end', () => resolve({ headers: answer.headers, size: Buffer.concat(chunks).length }));
        })
        .on('error', reject);
    });
  const zipped = await get('gzip, compress, deflate, br');
  const flat = await get('identity');
  assert.equal(zipped.headers['content-encoding'], 'gzip');
  assert.equal(flat.headers['content-encoding'], undefined);
  assert.ok(zipped.size * 5 < flat.size, `${zipped.size} of ${flat.size}`);
  for (const { headers } of [zipped, flat]) {
    assert.match(headers.vary, /Accept-Encoding/i);
    assert.match(headers.vary, /\bAccept\b(?!-)/i);
    assert.equal(headers['cache-control'], 'no-store');
  }
  const decoded = await author.sdk.ownListings.query();
  assert.equal(decoded.data.data.length, 5, 'the SDK reads it');
});

// contract: wire W18
test('one socket bears a thousand requests', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set();
  const get = path =>
    new Promise((resolve, reject) => {
      http
        .get(
          new URL(path, stoa.baseUrl),
          { agent, headers: { authorization: `Bearer ${anonymous}` } },
          answer => {
            sockets.add(answer.socket);
            answer.resume();
            answer.on('end', () => resolve(answer.statusCode));
          }
        )
        .on('error', reject);
    });
  for (let n = 0; n < 1_000; n += 1) {
    // Refusals must not close the socket either.
    const [path, status] = n % 10 ? ['/v1/api/marketplace/show', 200] : ['/v1/api/nothing/here', 404];
    assert.equal(await get(path), status);
  }
  assert.equal(sockets.size, 1);
  agent.destroy();
});

test('the verbose SDK does a whole round of work', async () => {
  const sdk = marketplaceSdk(stoa, { verbose: true });
  const email = freshEmail();
  await sdk.currentUser.create({ email, password: PASSWORD, firstName: 'Vera', lastName: 'Bose' });
  await sdk.login({ username: email, password: PASSWORD });
  const made = await sdk.ownListings.create(
    { title: 'Verbose', price: new Money(100, 'EUR'), geolocation: new LatLng(1.5, 2.5) },
    { expand: true, include: ['author'] }
  );
  const { id, attributes } = made.data.data;
  assert.ok(id instanceof UUID);
  assert.ok(attributes.price instanceof Money);
  assert.ok(attributes.createdAt instanceof Date);
  assert.equal(made.data.included[0].attributes.profile.displayName, 'Vera B');
  await refused(sdk.ownListings.open({ id }), 409, 'listing-invalid-state');
  const integ = integrationSdk(stoa, { verbose: true });
  const shown = await integ.listings.show({ id: id.uuid, include: ['author'] });
  assert.equal(shown.data.included[0].attributes.email, email);
  const decimal = new BigDecimal('1.50');
  assert.equal(transit.read(transit.write({ decimal })).decimal.value, '1.50');
});

test('health is told without a token', async () => {
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    const answer = await request(stoa, path);
    // Only a development process shows its metrics on the public address.
    const open = path !== '/metrics' || process.env.STOA_MODE !== 'distributed';
    assert.equal(answer.status, open ? 200 : 404, path);
  }
});
