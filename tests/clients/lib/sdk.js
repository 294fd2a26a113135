// The official SDKs, pointed at a server: only baseUrl differs from production use.

import sharetribe from 'sharetribe-flex-sdk';
import integration from 'sharetribe-flex-integration-sdk';

export const { types, transit, tokenStore } = sharetribe;
export const { UUID, Money, LatLng, LatLngBounds, BigDecimal } = types;

/**
 * A Marketplace SDK with its own token store in `sdk.store`.
 *
 * @param {import('./server.js').Stoa} stoa
 * @param {object} options
 * @param {boolean} [options.verbose] verbose Transit
 * @param {string} [options.baseUrl] another address, for example of a recorder
 * @param {object} [options.token] a token set to begin with
 * @param {string} [options.secret] client secret in place of the right one
 */
export function marketplaceSdk(stoa, { verbose = false, baseUrl, token, secret } = {}) {
  const store = tokenStore.memoryStore();
  if (token) store.setToken(token);
  const sdk = sharetribe.createInstance({
    clientId: stoa.credentials.marketplaceClientId,
    clientSecret: secret ?? stoa.credentials.marketplaceClientSecret,
    baseUrl: baseUrl ?? stoa.baseUrl,
    tokenStore: store,
    transitVerbose: verbose,
  });
  return Object.assign(sdk, { store });
}

/** An Integration SDK with its own token store in `sdk.store`. */
export function integrationSdk(stoa, { verbose = false, baseUrl, secret, clientId } = {}) {
  const store = integration.tokenStore.memoryStore();
  const sdk = integration.createInstance({
    clientId: clientId ?? stoa.credentials.integrationClientId,
    clientSecret: secret ?? stoa.credentials.integrationClientSecret,
    baseUrl: baseUrl ?? stoa.baseUrl,
    tokenStore: store,
    transitVerbose: verbose,
  });
  return Object.assign(sdk, { store });
}

/** Types of the Integration SDK are other classes than those of the Marketplace SDK. */
export const integrationTypes = integration.types;

/** Names of all functions of an SDK, `resource.verb`. */
export function functionsOf(sdk) {
  return Object.entries(sdk).flatMap(([resource, verbs]) =>
    verbs && typeof verbs === 'object' && resource !== 'store'
      ? Object.keys(verbs).map(verb => `${resource}.${verb}`)
      : []
  );
}
