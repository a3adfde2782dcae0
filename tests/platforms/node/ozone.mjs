// A real Ozone on loopback: `node ozone.mjs FOLDER_OF_NODE_MODULES DATABASE_URL`. The first line that it prints says where
// Ozone is ("ozone", its password "password") and where tests ask for what only the inside can do ("control"):
//   POST /people                    an account of its own: {did}
//   POST /report {did, ...body}     com.atproto.moderation.createReport, with a token that this account signed
//   POST /token                     such a token of a moderator, for queryEvents
//   POST /route                     what Ozone's daemon does every minute: rows in `report` for new reports
import http from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [folder, database] = process.argv.slice(2)
const require = createRequire(folder + '/node_modules/')
const load = (name) => import(pathToFileURL(require.resolve(name)).href)
const [{ Secp256k1Keypair }, ozone, { createServiceJwt }, plcLib, plcServer] = await Promise.all(
  ['@atproto/crypto', '@atproto/ozone', '@atproto/xrpc-server', '@did-plc/lib', '@did-plc/server'].map(load),
)
const PASSWORD = 'admin-pass'

const loopback = (app) => {
  const { listen } = app
  app.listen = (port) => listen.call(app, port, '127.0.0.1')
}
const plc = plcServer.PlcServer.create({ db: plcServer.Database.mock(), port: 0 })
loopback(plc.app)
const plcUrl = `http://127.0.0.1:${(await plc.start()).address().port}`
const plcClient = new plcLib.Client(plcUrl)

const keys = new Map()
const person = async (handle) => {
  const key = await Secp256k1Keypair.create({ exportable: true })
  const did = await plcClient.createDid({
    signingKey: key.did(), rotationKeys: [key.did()], handle, pds: 'https://pds.invalid', signer: key,
  })
  keys.set(did, key)
  return did
}

const serviceKey = await Secp256k1Keypair.create({ exportable: true })
const operation = await plcLib.signOperation(
  {
    type: 'plc_operation',
    alsoKnownAs: [],
    rotationKeys: [serviceKey.did()],
    verificationMethods: { atproto_label: serviceKey.did() },
    services: { atproto_labeler: { type: 'AtprotoLabeler', endpoint: 'https://ozone.invalid' } },
    prev: null,
  },
  serviceKey,
)
const serverDid = await plcLib.didForCreateOp(operation)
await plcClient.sendOperation(serverDid, operation)

const free = http.createServer().listen(0, '127.0.0.1')
await new Promise((done) => free.once('listening', done))
const { port } = free.address()
await new Promise((done) => free.close(done))

// An app view that knows nobody: Ozone asks it for the names and records that it shows beside its own.
const KNOWN = { 'app.bsky.actor.getProfiles': { profiles: [] }, 'com.atproto.admin.getAccountInfos': { infos: [] } }
const appview = http.createServer((req, res) => {
  const found = KNOWN[new URL(req.url, 'http://127.0.0.1').pathname.replace('/xrpc/', '')]
  const body = found ?? { error: 'RecordNotFound', message: 'nothing is here' }
  res.writeHead(found ? 200 : 400, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}).listen(0, '127.0.0.1')
await new Promise((done) => appview.once('listening', done))

const moderator = await person('moderator.test')
const cfg = ozone.envToCfg({
  devMode: true, version: '0.0.0', port, publicUrl: `http://127.0.0.1:${port}`, didPlcUrl: plcUrl, serverDid,
  signingKeyHex: Buffer.from(await serviceKey.export()).toString('hex'),
  appviewUrl: `http://127.0.0.1:${appview.address().port}`, appviewDid: 'did:example:appview',
  dbPostgresUrl: database, dbPostgresSchema: 'ozone', adminPassword: PASSWORD,
  adminDids: [], moderatorDids: [moderator], triageDids: [],
})
const secrets = ozone.envToSecrets({ adminPassword: PASSWORD, signingKeyHex: Buffer.from(await serviceKey.export()).toString('hex') })
const migrating = new ozone.Database({ schema: 'ozone', url: database })
await migrating.migrateToLatestOrThrow()
await migrating.close()
const service = await ozone.OzoneService.create(cfg, secrets)
loopback(service.app)
await service.start()
const daemon = await ozone.OzoneDaemon.create(cfg, secrets) // not started: tests say when it works
await daemon.ctx.queueRouter.initializeCursor()

const token = (did, lxm) => createServiceJwt({ iss: did, aud: serverDid, lxm, keypair: keys.get(did) })
const CONTROL = {
  '/people': async () => ({ did: await person(`p${keys.size}.test`) }),
  '/report': async ({ did, ...body }) => {
    const lxm = 'com.atproto.moderation.createReport'
    const answer = await fetch(`http://127.0.0.1:${port}/xrpc/${lxm}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await token(did, lxm)}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
    return answer.json()
  },
  '/token': async () => ({ token: await token(moderator, 'tools.ozone.moderation.queryEvents') }),
  '/route': async () => (await daemon.ctx.queueRouter.routeReports(), {}),
}
const control = http.createServer(async (req, res) => {
  const parts = []
  for await (const part of req) parts.push(part)
  try {
    const answer = await CONTROL[req.url](JSON.parse(Buffer.concat(parts).toString() || '{}'))
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  } catch (error) {
    res.writeHead(500).end(String(error?.stack ?? error))
  }
}).listen(0, '127.0.0.1')
await new Promise((done) => control.once('listening', done))
const { default: manifest } = await import(pathToFileURL(`${folder}/node_modules/@atproto/ozone/package.json`).href, { with: { type: 'json' } })
console.log(JSON.stringify({
  ozone: `http://127.0.0.1:${port}`, password: PASSWORD, control: `http://127.0.0.1:${control.address().port}`,
  version: manifest.version, moderator,
}))
