// Signatures as others make and check them: `node webhooks.mjs FOLDER_OF_NODE_MODULES`, a JSON list on standard input of
// {library, secret, headers, body} to verify, or {library, secret, id, seconds, body} to sign; a JSON list comes out: the
// signature, true, or what the library says is wrong.
import { createRequire } from 'node:module'

const require = createRequire(process.argv[2] + '/node_modules/')
const parts = []
for await (const part of process.stdin) parts.push(part)
const done = JSON.parse(Buffer.concat(parts).toString()).map(({ library, secret, headers, body, id, seconds }) => {
  const webhook = new (require(library).Webhook)(secret)
  if (id !== undefined) return webhook.sign(id, new Date(seconds * 1000), body)
  try {
    webhook.verify(body, headers)
    return true
  } catch (error) {
    return String(error.message)
  }
})
console.log(JSON.stringify(done))
