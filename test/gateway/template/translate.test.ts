import { expect, test } from 'vitest'
import { actionNames, actions } from '../../../gateway/actions/index.ts'
import { resourcesSchema } from '../../../gateway/local/resources.ts'
import { ruleFileSchema } from '../../../gateway/rules/rule-file.ts'
import type { Resource } from '../../../gateway/template/intrinsics.ts'
import { translate } from '../../../gateway/template/translate.ts'

const known = actionNames.map((name) => actions[name].fromCloudFormation.name).join(', ')

const place = { region: 'us-east-1', accountId: '000000000000' }
const run = (Resources: Readonly<Record<string, Resource>>) => translate({ Resources }, place)
const missing = (Resources: Readonly<Record<string, Resource>>) =>
  run(Resources)
    .findings.filter(({ fate }) => fate === 'unsupported')
    .map(({ text }) => text)

const rule = (Actions: readonly object[], more: object = {}): Resource => ({
  Type: 'AWS::IoT::TopicRule',
  Properties: { RuleName: 'r', TopicRulePayload: { Sql: "SELECT * FROM 'a'", Actions, ...more } },
})

test('a queue keeps its own times and its own dead-letter queue', () => {
  const { resources } = run({
    Dead: { Type: 'AWS::SQS::Queue', Properties: {} },
    Q: {
      Type: 'AWS::SQS::Queue',
      Properties: {
        QueueName: 'q.fifo',
        FifoQueue: true,
        ContentBasedDeduplication: 'true',
        VisibilityTimeout: '60',
        DelaySeconds: 5,
        MessageRetentionPeriod: 600,
        RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] }, maxReceiveCount: '3' },
      },
    },
  })
  expect(resourcesSchema.parse(resources).queues).toMatchObject({
    Dead: { deadLetterQueue: false, visibilityTimeoutSeconds: 30 },
    'q.fifo': {
      visibilityTimeoutSeconds: 60,
      retentionSeconds: 600,
      delaySeconds: 5,
      contentBasedDeduplication: true,
      deadLetterQueue: 'Dead',
      maxReceiveCount: 3,
    },
  })
})

test.each([
  [{ Sqs: { QueueUrl: 'https://sqs.us-east-1.amazonaws.com/1/q', UseBase64: 'true' } }, { sqs: { queueUrl: 'q', useBase64: true } }],
  [
    { Sqs: { QueueUrl: "https://sqs.us-east-1.amazonaws.com/1/q-${get(b, 'x/y:z')}" } },
    { sqs: { queueUrl: "q-${get(b, 'x/y:z')}", useBase64: false } },
  ],
  [{ Sns: { TargetArn: 'arn:aws:sns:us-east-1:1:t', MessageFormat: 'JSON' } }, { sns: { targetArn: 't', messageFormat: 'JSON' } }],
  [
    { Republish: { Topic: '$$aws/x', Qos: '1', Headers: { ContentType: 'a', UserProperties: [{ Key: 'k', Value: 'v' }] } } },
    { republish: { topic: '$$aws/x', qos: 1, headers: { contentType: 'a', userProperties: [{ key: 'k', value: 'v' }] } } },
  ],
  [
    { Http: { Url: 'https://a.example/x', Headers: [{ Key: 'k', Value: 'v' }] } },
    { http: { url: 'https://a.example/x', headers: [{ key: 'k', value: 'v' }], timeoutMs: 3_000 } },
  ],
  [{ CloudwatchLogs: { LogGroupName: 'g' } }, { log: { maxBytes: 1_024 } }],
])('%j', (action, expected) => {
  const { rules } = run({ R: rule([action], { ErrorAction: action }) })
  expect(ruleFileSchema.parse(rules.r)).toMatchObject({ awsIotSqlVersion: '2015-10-08', actions: [expected], errorAction: expected })
})

test('what an action cannot do here is named, and the others of the rule stay', () => {
  const actions = [{ Kafka: {} }, { Sqs: { QueueUrl: 'https://x/1/q.fifo' } }, { Sns: { TargetArn: 'arn:aws:sns:us-east-1:1:t' } }]
  const resources = { R: rule(actions, { ErrorAction: { S3: {} } }) }
  expect(missing(resources)).toEqual([
    `rule r: actions[0]: the action Kafka is not run here; ${known} are`,
    "rule r: actions[1]: AWS's SQS action cannot send to a FIFO queue",
    `rule r: errorAction: the action S3 is not run here; ${known} are`,
  ])
  expect(run(resources).rules.r).toMatchObject({ actions: [{ sns: { targetArn: 't' } }] })
})

test('a Lambda action is what its metadata says it is, or is named', () => {
  const lambda = rule([{ Lambda: { FunctionArn: { 'Fn::GetAtt': ['F', 'Arn'] } } }])
  const instead = { '0': { sqs: { queueUrl: 'q', groupId: '${topic(3)}' } } }
  const F: Resource = { Type: 'AWS::Lambda::Function' }
  expect(run({ F, R: { ...lambda, Metadata: { 'weir:actions': instead } } })).toMatchObject({
    rules: { r: { actions: [instead['0']] } },
    findings: [
      { id: 'R', fate: 'run' },
      { id: 'F', fate: 'ignored', text: 'the gateway does what it does for the rule r' },
    ],
  })
  expect(missing({ F, R: lambda })).toEqual([
    `rule r: actions[0]: the action Lambda is not run here; ${known} are`,
    'AWS::Lambda::Function is not run here',
  ])
})

test('subscriptions, inline and apart, with their filters; other protocols are named', () => {
  const resources: Readonly<Record<string, Resource>> = {
    T: {
      Type: 'AWS::SNS::Topic',
      Properties: {
        Subscription: [
          { Protocol: 'sqs', Endpoint: 'arn:aws:sqs:us-east-1:1:a' },
          { Protocol: 'sms', Endpoint: '+1' },
        ],
      },
    },
    S: {
      Type: 'AWS::SNS::Subscription',
      Properties: {
        TopicArn: { Ref: 'T' },
        Protocol: 'sqs',
        Endpoint: 'arn:aws:sqs:us-east-1:1:b',
        RawMessageDelivery: 'true',
        FilterPolicy: { severity: ['high'] },
      },
    },
    Fifo: { Type: 'AWS::SNS::Topic', Properties: { FifoTopic: true } },
  }
  expect(resourcesSchema.parse(run(resources).resources).topics).toEqual({
    T: {
      queues: [
        { queue: 'a', raw: false, filterPolicyScope: 'MessageAttributes' },
        { queue: 'b', raw: true, filterPolicy: { severity: ['high'] }, filterPolicyScope: 'MessageAttributes' },
      ],
    },
  })
  expect(missing(resources)).toEqual(['T → sms: only sqs is delivered to', 'topic Fifo: FIFO topics, as no rule can publish to them'])
})

test('a policy is checked as AWS checks it', () => {
  const policy = (Version: string): Resource => ({
    Type: 'AWS::IoT::Policy',
    Properties: { PolicyName: 'p', PolicyDocument: { Version, Statement: { Effect: 'Allow', Action: 'iot:*', Resource: '*' } } },
  })
  expect(run({ P: policy('2012-10-17') }).policies).toHaveProperty('p')
  expect(() => run({ P: policy('2008-10-17') })).toThrow('policy p: Version')
})

test('nothing is passed over in silence: every resource of a template has a fate', () => {
  const types = ['AWS::IAM::Role', 'AWS::KMS::Key', 'AWS::CloudWatch::Alarm', 'AWS::S3::Bucket', 'AWS::SQS::QueuePolicy', 'Custom::Thing']
  const resources = Object.fromEntries(types.map((Type, i) => [`R${i}`, { Type }]))
  expect(run(resources).findings.map(({ id }) => id)).toEqual(Object.keys(resources))
  expect(missing(resources)).toEqual(['AWS::S3::Bucket is not run here', 'Custom::Thing is not run here'])
})

test('a resource under a condition is there, and that is said', () => {
  const conditional = { Q: { Type: 'AWS::SQS::Queue', Condition: 'IsProd' } }
  expect(missing(conditional)).toEqual(['Q is there whatever its condition IsProd says'])
})
