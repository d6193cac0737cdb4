// Resource types that nothing here needs, with what does their work instead.

const reasons: readonly (readonly [type: RegExp, reason: string])[] = [
  [/^AWS::IAM::/, 'no roles are assumed here'],
  [/^AWS::(SQS::QueuePolicy|SNS::TopicPolicy|Lambda::Permission)$/, 'the embedded queues ask nobody for permission'],
  [/^AWS::KMS::/, 'the embedded queues encrypt nothing'],
  [/^AWS::CloudWatch::/, 'the admin port has the metrics'],
  [/^AWS::Logs::/, 'the gateway has its own log'],
  [
    /^AWS::IoT::(ThingType|ThingGroup|ProvisioningTemplate|AccountAuditConfiguration|Logging)$/,
    'weir certs mint makes things and certificates',
  ],
  [/^AWS::CDK::Metadata$/, 'a note of the CDK'],
]

export function whyHarmless(type: string): string | undefined {
  return reasons.find(([pattern]) => pattern.test(type))?.[1]
}
