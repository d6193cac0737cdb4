// The policies that are deployed are the ones that devices on a laptop live under.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { policyFor } from '../../device-sim/certs.ts'
import { compilePolicies } from '../../gateway/access/policy.ts'
import { parsePolicyDocument } from '../../gateway/access/policy-document.ts'

const read = (name: string) => JSON.parse(readFileSync(`infra/policies/${name}.json`, 'utf8'))
const place = { region: 'us-east-1', account: '000000000000', product: 'coldchain' }

test('device.json is what `weir certs mint` writes', () => expect(read('device')).toEqual(policyFor(place)))

const rules = readdirSync('infra/rules').map((file) => file.replace(/\.json$/, ''))

test('basic_ingest.json names rules that are there', () => {
  const named = [...JSON.stringify(read('basic_ingest')).matchAll(/\$aws\/rules\/(\w+)\//g)].map(([, name]) => name)
  expect(named.length).toBeGreaterThan(0)
  expect(rules).toEqual(expect.arrayContaining(named))
})

test.each([
  ['$aws/rules/telemetry/dt/coldchain/acme/truck-1/freezer-1/telemetry', 'allow'],
  ['$aws/rules/door_events/dt/coldchain/acme/truck-1/freezer-1/door', 'allow'],
  ['$aws/rules/telemetry/dt/coldchain/borealis/truck-1/freezer-1/telemetry', 'implicitDeny'],
  ['$aws/rules/telemetry/dt/coldchain/acme/truck-1/freezer-2/telemetry', 'implicitDeny'],
  // topic(3) would be the tenant `borealis`.
  ['$aws/rules/telemetry/a/b/borealis/dt/coldchain/acme/truck-1/freezer-1/telemetry', 'implicitDeny'],
  ['$aws/rules/command_replies/cmd/coldchain/acme/truck-1/freezer-1/x/res/async-1', 'implicitDeny'],
])('Basic Ingest on %s: %s', (topic, decision) => {
  const thing = { name: 'freezer-1', attributes: { tenant: 'acme', site: 'truck-1' }, attachedToPrincipal: true }
  const policies = compilePolicies([parsePolicyDocument(read('basic_ingest'), 'basic_ingest')]).bind({ clientId: 'freezer-1', thing })
  expect(policies.decide('iot:Publish', `arn:aws:iot:us-east-1:000000000000:topic/${topic}`).decision).toBe(decision)
})
