// What a policy costs per connection and per message, beside the same policy as regular expressions. Run: node test/bench/policy.ts
import { createArns } from '../../gateway/access/arn.ts'
import { compilePolicies } from '../../gateway/access/policy.ts'
import { policyDocumentSchema } from '../../gateway/access/policy-document.ts'

const arns = createArns({ region: 'us-east-1', accountId: '123456789012' })
const on = (kind: string, name: string) => `arn:aws:iot:us-east-1:123456789012:${kind}/${name}`
const device = '${iot:Connection.Thing.ThingName}'
const site = '${iot:Connection.Thing.Attributes[tenant]}/${iot:Connection.Thing.Attributes[site]}'

const document = policyDocumentSchema.parse({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: 'iot:Connect',
      Resource: on('client', device),
      Condition: { Bool: { 'iot:Connection.Thing.IsAttached': 'true' } },
    },
    {
      Effect: 'Allow',
      Action: 'iot:Publish',
      Resource: [on('topic', `dt/coldchain/${site}/${device}/*`), on('topic', `cmd/coldchain/*/${device}/*/res/*`)],
    },
    { Effect: 'Allow', Action: 'iot:Subscribe', Resource: on('topicfilter', `cmd/coldchain/${site}/${device}/*`) },
    { Effect: 'Allow', Action: 'iot:Receive', Resource: on('topic', `cmd/coldchain/${site}/${device}/*`) },
    { Effect: 'Deny', Action: 'iot:Publish', Resource: on('topic', 'dt/*/restricted/*') },
  ],
})
const context = {
  clientId: 'freezer-1',
  thing: { name: 'freezer-1', attachedToPrincipal: true, attributes: { tenant: 'acme', site: 'truck-7' } },
}
const policies = compilePolicies([document])
const bound = policies.bind(context)
const regular = [
  /^arn:aws:iot:us-east-1:123456789012:topic\/dt\/.*\/restricted\/.*$/,
  /^arn:aws:iot:us-east-1:123456789012:topic\/dt\/coldchain\/acme\/truck-7\/freezer-1\/.*$/,
]
const topics = Array.from({ length: 16 }, (_, i) => `dt/coldchain/acme/truck-7/freezer-1/telemetry-${i}`)
const hostile = on('topic', 'dt/'.concat('/restricted'.repeat(20)))

let sink = 0
function measure(name: string, rounds: number, run: (i: number) => unknown): void {
  for (let i = 0; i < rounds / 10; i++) sink += run(i) ? 1 : 0
  const samples = Array.from({ length: 7 }, () => {
    const from = performance.now()
    for (let i = 0; i < rounds; i++) sink += run(i) ? 1 : 0
    return ((performance.now() - from) / rounds) * 1e6
  }).sort((a, b) => a - b)
  console.log(`${name.padEnd(34)} ${samples[0]!.toFixed(0).padStart(7)} ns best of 7, ${samples[3]!.toFixed(0).padStart(7)} ns median`)
}

measure('publish, allowed', 1e6, (i) => bound.decide('iot:Publish', arns.topic(topics[i & 15]!)).decision === 'allow')
measure('publish, allowed, as RegExp', 1e6, (i) => {
  const resource = arns.topic(topics[i & 15]!)
  return !regular[0]!.test(resource) && regular[1]!.test(resource)
})
measure('publish, denied', 1e6, () => bound.decide('iot:Publish', arns.topic('dt/coldchain/other/a')).decision === 'allow')
measure('publish, hostile topic', 1e6, () => bound.decide('iot:Publish', hostile).decision === 'allow')
measure('bind a connection, first publish', 1e5, () => policies.bind(context).decide('iot:Publish', arns.topic(topics[0]!)))
measure('compile the document', 1e4, () => compilePolicies([document]))
if (sink === 0) console.log(sink)
