// An account of atproto that reports: `node identity.mjs FOLDER_OF_NODE_MODULES`, {did, aud, lxm} as JSON on standard
// input; the public key for its DID document and a token that it signed come out.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'

const require = createRequire(process.argv[2] + '/node_modules/')
const { Secp256k1Keypair } = require('@atproto/crypto')
const { createServiceJwt } = require('@atproto/xrpc-server')

const { did, aud, lxm } = JSON.parse(readFileSync(0, 'utf8'))
const keypair = await Secp256k1Keypair.create()
const token = await createServiceJwt({ iss: did, aud, lxm, keypair })
console.log(JSON.stringify({ key: keypair.did().replace('did:key:', ''), token }))
