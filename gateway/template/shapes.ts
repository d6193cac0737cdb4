// What a template may look like, as far as it is run here. Checked before anything is translated, so that each mistake has a sentence.
import { z } from 'zod'

const text = z.union([z.string().min(1), z.number().transform(String)])
const flag = z.union([z.boolean(), z.enum(['true', 'false'])])
const number = z.union([z.number(), z.string().regex(/^\d+$/, 'expected a whole number')])
const object = z.record(z.string(), z.unknown())
/** Some properties take an object or its JSON. */
const document = z.union([object, z.string().min(1)])

export const templateShape = z.looseObject({
  Parameters: z.record(z.string(), object).optional(),
  Resources: z.record(
    z.string(),
    z.looseObject({
      Type: z.string().min(1),
      Properties: object.optional(),
      Metadata: object.optional(),
      Condition: z.string().optional(),
    }),
  ),
})

const subscription = { Protocol: text, Endpoint: text.optional() }
const actions = z.array(object)

/** Properties by resource type, with every intrinsic function in them answered. */
export const propertyShapes: Readonly<Record<string, z.ZodType>> = {
  'AWS::SQS::Queue': z.looseObject({
    QueueName: text.optional(),
    FifoQueue: flag.optional(),
    VisibilityTimeout: number.optional(),
    MessageRetentionPeriod: number.optional(),
    DelaySeconds: number.optional(),
    ContentBasedDeduplication: flag.optional(),
    RedrivePolicy: z
      .union([z.looseObject({ deadLetterTargetArn: z.string().min(1), maxReceiveCount: number.optional() }), z.string().min(1)])
      .optional(),
  }),
  'AWS::SNS::Topic': z.looseObject({
    TopicName: text.optional(),
    FifoTopic: flag.optional(),
    Subscription: z.array(z.looseObject(subscription)).optional(),
  }),
  'AWS::SNS::Subscription': z.looseObject({
    ...subscription,
    TopicArn: z.string().min(1),
    RawMessageDelivery: flag.optional(),
    FilterPolicy: document.optional(),
    FilterPolicyScope: z.enum(['MessageAttributes', 'MessageBody']).optional(),
  }),
  'AWS::IoT::Policy': z.looseObject({ PolicyName: text.optional(), PolicyDocument: document }),
  'AWS::IoT::TopicRule': z.looseObject({
    RuleName: text.optional(),
    TopicRulePayload: z.looseObject({
      Sql: z.string().min(1),
      AwsIotSqlVersion: z.string().optional(),
      Description: z.string().optional(),
      RuleDisabled: flag.optional(),
      Actions: actions,
      ErrorAction: object.optional(),
    }),
  }),
  'AWS::Lambda::EventSourceMapping': z.looseObject({ EventSourceArn: z.string().min(1), FunctionName: text }),
}
