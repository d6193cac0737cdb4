// Every value of a template, replaced by values of other types: each is either fine or told in one plain sentence.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadTemplate } from '../../../gateway/cli/template.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import { aDirectory } from '../../helpers/program.ts'

const arnOf = (id: string) => ({ 'Fn::GetAtt': [id, 'Arn'] })
const template = {
  Parameters: { Name: { Default: 'x' } },
  Resources: {
    Q: {
      Type: 'AWS::SQS::Queue',
      Properties: { QueueName: 'q', VisibilityTimeout: 30, RedrivePolicy: { deadLetterTargetArn: arnOf('D'), maxReceiveCount: 3 } },
    },
    D: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'd', DelaySeconds: 1, ContentBasedDeduplication: false } },
    T: {
      Type: 'AWS::SNS::Topic',
      Properties: { TopicName: 't', Subscription: [{ Protocol: 'sqs', Endpoint: { 'Fn::GetAtt': 'Q.Arn' } }] },
    },
    S: {
      Type: 'AWS::SNS::Subscription',
      Properties: { TopicArn: { Ref: 'T' }, Protocol: 'sqs', Endpoint: arnOf('Q'), FilterPolicy: { a: ['b'] }, RawMessageDelivery: true },
    },
    P: {
      Type: 'AWS::IoT::Policy',
      Properties: { PolicyDocument: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'iot:*', Resource: '*' }] } },
    },
    R: {
      Type: 'AWS::IoT::TopicRule',
      Metadata: { 'weir:actions': {} },
      Properties: {
        RuleName: 'r',
        TopicRulePayload: {
          Sql: "SELECT * FROM 'a'",
          Actions: [{ Sqs: { QueueUrl: { Ref: 'Q' }, UseBase64: false } }, { Republish: { Topic: 'b' } }],
          ErrorAction: { Sqs: { QueueUrl: { Ref: 'D' } } },
        },
      },
    },
    F: { Type: 'AWS::Lambda::Function', Properties: { FunctionName: { 'Fn::Sub': [`\${a}-f`, { a: 'z' }] } } },
    M: {
      Type: 'AWS::Lambda::EventSourceMapping',
      Properties: { EventSourceArn: { 'Fn::Join': [':', ['arn:aws:sqs:us-east-1:1', 'q']] }, FunctionName: { Ref: 'F' } },
    },
  },
}

const others: readonly unknown[] = [33.291, -1, null, true, '', 'x', [], [1], [null], {}, { Ref: 1 }, { 'Fn::Sub': [1] }, undefined]

function* pathsOf(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (path.length > 0) yield path
  if (typeof value === 'object' && value !== null) for (const [key, inner] of Object.entries(value)) yield* pathsOf(inner, [...path, key])
}

function withOther(path: readonly string[], other: unknown): unknown {
  const copy: unknown = structuredClone(template)
  const parent = path.slice(0, -1).reduce((value, key) => (value as Record<string, unknown>)[key], copy) as Record<string, unknown>
  parent[path.at(-1)!] = other
  return copy
}

test('a template with a value of another type is run, or refused in plain sentences', () => {
  const dataDir = aDirectory()
  const file = join(dataDir, 't.json')
  const odd: string[] = []
  for (const path of pathsOf(template)) {
    for (const other of others) {
      writeFileSync(file, JSON.stringify(withOther(path, other)))
      try {
        loadTemplate(file, { dataDir, region: 'us-east-1', accountId: '000000000000', strict: true })
      } catch (error) {
        const text = (error as Error).message
        if (!(error instanceof GatewayError) || /Cannot |is not a function|\[object|undefined|pattern/.test(text))
          odd.push(`${path.join('.')} = ${JSON.stringify(other)}: ${text}`)
      }
    }
  }
  expect(odd).toEqual([])
})

test.each([
  [['Resources', 'M', 'Properties', 'EventSourceArn'], 33.291, /Resources\.M\.Properties: EventSourceArn is 33\.291; expected string/],
  [['Resources', 'Q', 'Properties', 'QueueName'], 33.291, /queues\.33\.291: a queue name has letters, digits, - and _/],
  [['Resources', 'Q', 'Properties', 'VisibilityTimeout'], 'soon', /Resources\.Q\.Properties: VisibilityTimeout: expected a whole number/],
  [['Resources', 'S', 'Properties', 'TopicArn'], { Ref: 33.291 }, /TopicArn: Ref is 33\.291; expected the name of a resource/],
  [
    ['Resources', 'M', 'Properties', 'EventSourceArn'],
    'arn:aws:kinesis:us-east-1:1:stream/s',
    /event source arn:aws:kinesis:us-east-1:1:stream\/s: not an SQS queue/,
  ],
] as const)('%j %j names the place, the value and what was expected', (path, other, sentence) => {
  const dataDir = aDirectory()
  writeFileSync(join(dataDir, 't.json'), JSON.stringify(withOther(path, other)))
  const load = () => loadTemplate(join(dataDir, 't.json'), { dataDir, region: 'us-east-1', accountId: '000000000000', strict: true })
  expect(load).toThrow(sentence)
})
