// A certified OpenID Connect provider on loopback, with accounts that the tests change: PUT /test/accounts/NAME with claims.
// Prints its issuer once it listens. Clients register themselves (POST /reg). Anybody signs in as NAME with any password.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const { Provider } = await import(pathToFileURL(`${process.argv[2]}/node_modules/oidc-provider/lib/index.js`).href);

const accounts = new Map();
const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const host = process.argv[3] ?? '127.0.0.1';
const issuer = `http://${host}:${server.address().port}`;

const provider = new Provider(issuer, {
  cookies: { keys: ['only for tests'] },
  claims: { openid: ['sub'], profile: ['preferred_username', 'roles', 'realm_access'], email: ['email', 'email_verified'] },
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ ...accounts.get(sub), sub }) }),
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
  },
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }), // logout tokens go to loopback, too
  pkce: { required: () => true },
  ttl: { Session: 3600, Grant: 3600, AccessToken: 600, IdToken: 600, Interaction: 600 },
  // consent is given beforehand, as organisations do for their own clients
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid profile email');
    await grant.save();
    return grant;
  },
});
for (const event of ['server_error', 'backchannel.error']) provider.on(event, (ctx, error) => console.error(error));

const answer = provider.callback();
server.on('request', (request, response) => {
  const match = /^\/test\/accounts\/([\w-]+)$/.exec(request.url);
  if (request.method !== 'PUT' || !match) { answer(request, response); return; }
  let body = '';
  request.on('data', (part) => { body += part; });
  request.on('end', () => { accounts.set(match[1], JSON.parse(body)); response.end(); });
});
console.log(issuer);
process.stdin.on('end', () => process.exit(0)).resume(); // ends with the tests
