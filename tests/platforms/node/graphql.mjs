// Queries held against a schema by graphql-js: `node graphql.mjs FOLDER_OF_NODE_MODULES`, {schema, queries: [{query,
// variables}]} on standard input; for each query the list of what is wrong with it.
import { createRequire } from 'node:module'

const require = createRequire(process.argv[2] + '/node_modules/')
const { buildSchema, getOperationAST, parse, validate } = require('graphql')
const parts = []
for await (const part of process.stdin) parts.push(part)
const { schema: source, queries } = JSON.parse(Buffer.concat(parts).toString())
const schema = buildSchema(source)
const values = require('graphql/execution/values')
console.log(JSON.stringify(queries.map(({ query, variables }) => {
  const document = parse(query)
  const { errors = [] } = values.getVariableValues(schema, getOperationAST(document).variableDefinitions, variables)
  return [...validate(schema, document), ...errors].map((error) => error.message)
})))
