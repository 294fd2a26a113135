// What an SDK keeps while the installation cannot judge anybody. Needs a process to kill, so it
// runs over separate processes only; tests/stack shows the same for the feeds in one process.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { eventually } from '../lib/eventually.js';
import { marketplaceSdk } from '../lib/sdk.js';
import { signUp } from '../lib/people.js';

const distributed = process.env.STOA_MODE === 'distributed';

// contract: security S16, security S53
test(
  'a session outlives an outage of auth, also with an access token that ended in it',
  { skip: !distributed && 'there is no process of its own to kill' },
  async () => {
    const stoa = await startStoa({
      env: { STOA_TOKENS__ACCESS_S: '2', STOA_TOKENS__ALLOW_SHORT: 'true' },
    });
    const { sdk, id } = await signUp(stoa);
    assert.equal((await sdk.currentUser.show()).data.data.id.uuid, id.uuid);
    const anonymous = marketplaceSdk(stoa);
    await anonymous.listings.query();
    const before = sdk.store.getToken();

    await stoa.command('kill auth 0');
    const outage = await eventually(
      'everybody with a name is refused',
      async () => {
        const seen = await sdk.currentUser.show().then(() => null, error => error);
        // Neither 401, nor a session that fell back to an anonymous one.
        assert.notEqual(seen?.status, 401);
        assert.notEqual(seen?.status, 403);
        return seen?.status === 503 && seen;
      },
      60_000
    );
    assert.equal(outage.status, 503);
    const kept = sdk.store.getToken();
    assert.equal(kept.scope, 'user');
    assert.equal(kept.refresh_token, before.refresh_token);

    await stoa.command('start auth 0');
    await eventually(
      'the same session goes on',
      () => sdk.currentUser.show().then(answer => answer.data.data.id.uuid === id.uuid, () => false),
      10_000
    );
    assert.equal(sdk.store.getToken().scope, 'user');
  }
);
