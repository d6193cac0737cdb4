// The validator finds what CloudFormation would refuse.
import { expect, test } from 'vitest'
import { type Template, validateTemplate } from '../../infra/schema.ts'

type Values = Readonly<Record<string, unknown>>

const queue = (Properties: Values, more: object = {}): Template => ({ Resources: { Q: { Type: 'AWS::SQS::Queue', Properties, ...more } } })
const rule = (TopicRulePayload: Values): Template => ({
  Resources: { R: { Type: 'AWS::IoT::TopicRule', Properties: { TopicRulePayload } } },
})
const sqs = { QueueUrl: 'q', RoleArn: 'r' }

test('nothing to say of what is right, intrinsic functions included', () => {
  expect(validateTemplate(queue({ QueueName: { 'Fn::Sub': '${AWS::StackName}-q' }, VisibilityTimeout: '30', FifoQueue: 'true' }))).toEqual(
    [],
  )
  expect(validateTemplate(rule({ Sql: 's', Actions: [{ Sqs: { ...sqs, UseBase64: false } }] }))).toEqual([])
})

test.each([
  [{ Resources: { Q: { Type: 'AWS::SQS::Qeue' } } }, 'Q: resource type AWS::SQS::Qeue does not exist'],
  [queue({ QueName: 'q' }), 'Q (AWS::SQS::Queue).QueName is not a known property'],
  [queue({ VisibilityTimeout: 'soon' }), 'Q (AWS::SQS::Queue).VisibilityTimeout is "soon"; expected a whole number'],
  [queue({ VisibilityTimeout: 1.5 }), 'Q (AWS::SQS::Queue).VisibilityTimeout is 1.5; expected a whole number'],
  [queue({ FifoQueue: 'yes' }), 'Q (AWS::SQS::Queue).FifoQueue is "yes"; expected true or false'],
  [queue({ Tags: [{ Name: 'a' }] }), 'Q (AWS::SQS::Queue).Tags[0] is {"Name":"a"}; expected Key and Value'],
  [queue({}, { DependOn: 'X' }), 'Q.DependOn is not an attribute of a resource'],
  [queue({ QueueName: { Ref: 'Name' } }), 'Q refers to Name, which is not there'],
  [queue({ KmsMasterKeyId: { 'Fn::GetAtt': ['K', 'Arn'] } }), 'Q refers to K, which is not there'],
  [queue({ QueueName: { 'Fn::GetAtt': ['Q', 'Nmae'] } }), 'Q asks Q (AWS::SQS::Queue) for Nmae, which it does not have'],
  [rule({ Sql: 's' }), 'R (AWS::IoT::TopicRule).TopicRulePayload.Actions is missing'],
  [rule({ Sql: 's', Actions: {} }), 'R (AWS::IoT::TopicRule).TopicRulePayload.Actions is {}; expected a list'],
  [rule({ Sql: 's', Actions: [{ Sqs: { QueueUrl: 'q' } }] }), 'R (AWS::IoT::TopicRule).TopicRulePayload.Actions[0].Sqs.RoleArn is missing'],
  [
    rule({ Sql: 's', Actions: [{ Sqs: { ...sqs, queue: 1 } }] }),
    'R (AWS::IoT::TopicRule).TopicRulePayload.Actions[0].Sqs.queue is not a known property',
  ],
  [
    {
      Resources: {
        T: { Type: 'AWS::IoT::ProvisioningTemplate', Properties: { ProvisioningRoleArn: 'r', TemplateBody: '{}', TemplateType: 'JTIP' } },
      },
    },
    'T (AWS::IoT::ProvisioningTemplate).TemplateType is "JTIP"; expected one of FLEET_PROVISIONING, JITP',
  ],
])('%j', (template, problem) => expect(validateTemplate(template)).toEqual([problem]))
