// What of a rule file can be deployed, and the sentence for what cannot.
import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, test, vi } from 'vitest'
import { resourcesSchema } from '../../gateway/local/resources.ts'
import { type RuleFile, ruleFileSchema } from '../../gateway/rules/rule-file.ts'
import { groupSourceOf } from '../../infra/group.ts'
import { Ingest } from '../../infra/ingest.ts'
import { Queues } from '../../infra/queues.ts'
import { validateTemplate } from '../../infra/schema.ts'

// The CDK takes its time to load.
vi.setConfig({ testTimeout: 60_000 })

const resources = resourcesSchema.parse({
  queues: { telemetry: {}, 'doors.fifo': {}, errors: {} },
  topics: { alerts: { queues: ['telemetry'] } },
})
const errorAction = { sqs: { queueUrl: 'errors' } }

function deploy(action: object, more: object = { errorAction }) {
  const stack = new Stack(new App({ analyticsReporting: false, stackTraces: false }), 'S')
  const rule: RuleFile = ruleFileSchema.parse({ name: 'r', sql: "SELECT temperature FROM 'a/+'", actions: [action], ...more })
  new Ingest(stack, { rules: [rule], queues: new Queues(stack, { resources, functionSeconds: {} }) })
  const template = Template.fromStack(stack)
  expect(validateTemplate(template.toJSON() as Parameters<typeof validateTemplate>[0])).toEqual([])
  const [properties] = Object.values(template.findResources('AWS::IoT::TopicRule'))
  return properties!.Properties.TopicRulePayload.Actions[0]
}

test.each([
  [{ sqs: { queueUrl: 'telemetry', useBase64: true } }, { Sqs: { UseBase64: true } }],
  [{ sns: { targetArn: 'alerts', messageFormat: 'JSON' } }, { Sns: { MessageFormat: 'JSON' } }],
  [
    { republish: { topic: '$$aws/things/${topic(2)}/shadow/update', qos: 1, headers: { contentType: 'application/json' } } },
    { Republish: { Topic: '$$aws/things/${topic(2)}/shadow/update', Qos: 1, Headers: { ContentType: 'application/json' } } },
  ],
  [
    { http: { url: 'https://hook.example:8443/a', headers: [{ key: 'k', value: '${topic(2)}' }] } },
    { Http: { Url: 'https://hook.example:8443/a', Headers: [{ Key: 'k', Value: '${topic(2)}' }] } },
  ],
  [{ log: {} }, { CloudwatchLogs: {} }],
])('%j', (action, expected) => expect(deploy(action)).toMatchObject(expected))

test.each([
  [
    { sqs: { queueUrl: 'telemetry', pack: {} } },
    'rule r: actions[0]: sqs.pack cannot be deployed: the rules engine of AWS hands over one message',
  ],
  [
    { sqs: { queueUrl: 'telemetry', groupId: '${topic(2)}' } },
    'sees only the result of the SELECT; add "topic(2) AS <name>" to it, after any *',
  ],
  [{ sqs: { queueUrl: 'telemetry', groupId: 'a-${topic(2)}' } }, 'is more than one ${…}'],
  [{ sqs: { queueUrl: 'telemetry', groupId: 'all', useBase64: true } }, 'which is given JSON only'],
  [
    { sqs: { queueUrl: 'telemtry' } },
    'queue "telemtry" cannot be deployed: is not in resources.json; known are telemetry, doors.fifo, errors',
  ],
  [{ sns: { targetArn: 'alerts', attributes: { tenant: '${topic(2)}' } } }, 'filter on the message body instead'],
  [{ http: { url: 'http://hook.example/a' } }, 'http.url cannot be deployed: AWS takes only https:// on port 443 or 8443'],
  [{ http: { url: 'https://hook.example:9000/a' } }, 'port 443 or 8443'],
  [{ http: { url: 'https://hook.example/a', timeoutMs: 500 } }, 'http.timeoutMs cannot be deployed: it is 3000 on AWS'],
])('%j is refused', (action, sentence) => expect(() => deploy(action)).toThrow(sentence))

test.each([
  [{ errorAction: { log: {} } }, 'needs an errorAction of sqs'],
  [{ errorAction: { sqs: { queueUrl: 'errors', groupId: 'all' } } }, 'errorAction: sqs.groupId cannot be deployed'],
])('a groupId with %j is refused', (more, sentence) => {
  expect(() => deploy({ sqs: { queueUrl: 'telemetry', groupId: 'all' } }, more)).toThrow(sentence)
})

test('a rule without an error action is refused', () => expect(() => deploy({ log: {} }, {})).toThrow('errorAction: it cannot be deployed'))

test('a message group is a text, or the field of the SELECT with the same expression', () => {
  const from = (sql: string, groupId = '${topic(3)}') => groupSourceOf(groupId, { sql: `SELECT ${sql} FROM 'a'` })
  expect(from('*', 'all')).toEqual({ text: 'all' })
  expect(from('*, topic(3) AS tenant')).toEqual({ field: 'tenant' })
  expect(from('*, topic( 3 ) AS tenant', '${ topic(3) }')).toEqual({ field: 'tenant' })
  expect(from('*, topic(4) AS tenant')).toHaveProperty('problem')
  expect(from('*, topic(3) AS a.b')).toHaveProperty('problem')
})

test('a group that the device could write over is refused', () => {
  const from = (sql: string) => groupSourceOf('${topic(3)}', { sql: `SELECT ${sql} FROM 'a'` })
  expect(from('topic(3) AS tenant, *')).toHaveProperty('problem')
  expect(from('topic(3) AS tenant, name AS tenant')).toHaveProperty('problem')
})
