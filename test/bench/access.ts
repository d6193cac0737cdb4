// What access costs per publish: the question every PUBLISH asks before it is kept. Run: node test/bench/access.ts

import { policyFor } from '../../device-sim/certs.ts'
import { accessSchema, type Caller, createAccess, type Session } from '../../gateway/access/access.ts'
import { createArns } from '../../gateway/access/arn.ts'
import { compilePolicies } from '../../gateway/access/policy.ts'
import { policyDocumentSchema } from '../../gateway/access/policy-document.ts'
import { noThings, type Things } from '../../gateway/access/things.ts'

const owner = { region: 'us-east-1', account: '123456789012', product: 'coldchain' }
const clock = { now: () => 0, monotonic: () => performance.now(), sleep: async () => {} }
const policies = compilePolicies([policyDocumentSchema.parse(policyFor(owner))])
const thing = { thingName: 'f-1', attributes: { tenant: 'acme', site: 's' }, principals: ['dev'], policies: [] }
const things: Things = {
  ...noThings,
  thing: () => thing,
  thingsOf: () => [thing],
  user: (name) => ({ name, hash: '', policies: [] }),
  policiesOf: () => policies,
}

async function open(limits: object | string, more: Partial<Caller>): Promise<Session> {
  const config = accessSchema.parse({ limits })
  const arns = createArns({ region: owner.region, accountId: owner.account })
  const deps = { clock, observe: { record: () => {} }, arns, things: () => things, verifier: { verify: async () => true } }
  return createAccess(config, deps).connect({ transport: 'mqtt', loopback: true, ...more }, { clientId: 'f-1', persistent: false })
}

// High enough not to refuse, finite so that every bucket is asked.
const finite = { publishesPerSecond: 1e9, bytesPerSecond: 1e12, inboundPublishesPerSecond: 1e9 }
const login = { username: 'dev', password: 'x' }
const rows: Readonly<Record<string, Session>> = {
  'anonymous, no limits': await open('none', {}),
  'anonymous, limits': await open(finite, {}),
  'policy, no limits': await open('none', login),
  'policy, limits': await open(finite, login),
  'policy, limits, tenant rates': await open({ ...finite, tenantPublishesPerSecond: 1e9, tenantBytesPerSecond: 1e12 }, login),
}
const topics = Array.from({ length: 16 }, (_, i) => `dt/coldchain/acme/s/f-1/telemetry-${i}`)
const rounds = 1_000_000
for (const [name, session] of Object.entries(rows)) {
  const run = () => {
    const from = performance.now()
    for (let i = 0; i < rounds; i++) {
      if (session.publish({ topic: topics[i & 15]!, payloadBytes: 200, qos: 1, retain: false, tenant: 'acme' })) throw new Error('refused')
      session.acknowledged()
    }
    return ((performance.now() - from) / rounds) * 1e6
  }
  const samples = Array.from({ length: 7 }, run).sort((a, b) => a - b)
  console.log(`${name.padEnd(30)} ${samples[0]!.toFixed(0).padStart(5)} ns best of 7, ${samples[3]!.toFixed(0).padStart(5)} ns median`)
}
