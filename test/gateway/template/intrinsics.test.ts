import { expect, test } from 'vitest'
import { createResolver } from '../../../gateway/template/intrinsics.ts'

const resolve = createResolver(
  {
    Parameters: { Stage: { Default: 'dev' }, Secret: {} },
    Resources: {
      Readings: { Type: 'AWS::SQS::Queue', Properties: { QueueName: { 'Fn::Sub': '${Stage}-readings' } } },
      Orders: { Type: 'AWS::SQS::Queue', Properties: { FifoQueue: 'true' } },
      Alerts: { Type: 'AWS::SNS::Topic' },
      Rule: { Type: 'AWS::IoT::TopicRule', Properties: { RuleName: 'telemetry' } },
      Biller: { Type: 'AWS::Lambda::Function' },
      Role: { Type: 'AWS::IAM::Role' },
    },
  },
  { region: 'eu-west-1', accountId: '123456789012' },
)
const url = 'https://sqs.eu-west-1.amazonaws.com/123456789012'

test.each([
  [{ Ref: 'Stage' }, 'dev'],
  [{ Ref: 'AWS::Region' }, 'eu-west-1'],
  [{ Ref: 'AWS::AccountId' }, '123456789012'],
  [{ Ref: 'AWS::Partition' }, 'aws'],
  [{ Ref: 'Readings' }, `${url}/dev-readings`],
  [{ Ref: 'Orders' }, `${url}/Orders.fifo`],
  [{ Ref: 'Alerts' }, 'arn:aws:sns:eu-west-1:123456789012:Alerts'],
  [{ Ref: 'Rule' }, 'telemetry'],
  [{ 'Fn::GetAtt': ['Readings', 'Arn'] }, 'arn:aws:sqs:eu-west-1:123456789012:dev-readings'],
  [{ 'Fn::GetAtt': 'Readings.QueueName' }, 'dev-readings'],
  [{ 'Fn::GetAtt': ['Alerts', 'TopicName'] }, 'Alerts'],
  [{ 'Fn::GetAtt': ['Rule', 'Arn'] }, 'arn:aws:iot:eu-west-1:123456789012:rule/telemetry'],
  [{ 'Fn::GetAtt': ['Biller', 'Arn'] }, 'arn:aws:lambda:eu-west-1:123456789012:function:Biller'],
  [{ 'Fn::Sub': 'arn:${AWS::Partition}:iot:${AWS::Region}::x/${Readings.QueueName}' }, 'arn:aws:iot:eu-west-1::x/dev-readings'],
  [{ 'Fn::Sub': '${Stage}/${!topic(2)}' }, 'dev/${topic(2)}'],
  [{ 'Fn::Sub': ['${a}-${Stage}', { a: { Ref: 'AWS::Region' } }] }, 'eu-west-1-dev'],
  [{ 'Fn::Join': ['/', ['a', { Ref: 'Stage' }, 3]] }, 'a/dev/3'],
  [
    { deep: [{ Ref: 'Stage' }], Ref2: 1, plain: '${topic(3)}' },
    { deep: ['dev'], Ref2: 1, plain: '${topic(3)}' },
  ],
  [{ Key: 'x' }, { Key: 'x' }],
])('%j', (value, expected) => expect(resolve(value, 'at')).toEqual(expected))

test.each([
  [{ Ref: 'Nobody' }, 'at: "Nobody" is not a resource or a parameter of this template'],
  [{ Ref: 'Secret' }, 'at: the parameter Secret has no default'],
  [{ 'Fn::GetAtt': ['Role', 'RoleId'] }, 'at: attribute "RoleId" of Role is known to AWS only; known here are Arn'],
  [{ a: [{ 'Fn::ImportValue': 'x' }] }, 'at.a[0]: Fn::ImportValue is not resolved here; Ref, Fn::GetAtt, Fn::Sub, Fn::Join are'],
  [{ 'Fn::Join': [',', { Ref: 'Stage' }] }, 'at: Fn::Join needs a separator and a list'],
  [{ 'Fn::Sub': 7 }, 'at: Fn::Sub needs a text'],
])('%j is refused', (value, sentence) => expect(() => resolve(value, 'at')).toThrow(sentence))
