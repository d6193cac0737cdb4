// The republish action publishes the rule's result as a new message on another MQTT topic.
import { z } from 'zod'
import { hasWildcard, nameProblem } from '../../lib/topic.ts'
import { codeOf, GatewayError } from '../errors.ts'
import { bytesOf } from '../message/body.ts'
import { derivedId } from '../message/ids.ts'
import type { Message, MqttProperties } from '../message/message.ts'
import { type ActionDeps, type ActionKind, type BoundAction, type Delivery, fromPromise, type Template } from './action.ts'
import { camelCase, given } from './cloudformation.ts'
import { roleArn } from './params.ts'

const header = z.string().min(1).max(1_024)
const headersSchema = z.strictObject({
  payloadFormatIndicator: header.optional().describe('`UNSPECIFIED_BYTES` or `UTF8_DATA`. May be a template.'),
  contentType: header.optional().describe('May be a template.'),
  responseTopic: header.optional().describe('May be a template.'),
  correlationData: header.optional().describe('Base64 text. May be a template.'),
  messageExpiry: header.optional().describe('Seconds, as text. May be a template.'),
  userProperties: z
    .array(z.strictObject({ key: header.describe('The name. May repeat.'), value: header.describe('The value.') }))
    .min(1)
    .max(100)
    .optional()
    .describe('Keys and values may be templates.'),
})

const params = z.strictObject({
  topic: z.string().min(1).describe('The topic of the new message. May be a template. A leading `$$` stands for `$`, for reserved topics.'),
  qos: z
    .union([z.literal(0), z.literal(1)])
    .default(0)
    .describe('The QoS of the new message.'),
  headers: headersSchema.optional().describe('MQTT 5 properties of the new message. Those of the original message are not copied.'),
  roleArn,
})

type Params = z.infer<typeof params>

export const republish = {
  summary: 'Publish the result on another topic.',
  noun: 'MQTT topic',
  params,
  target: ({ topic }) => ({ param: 'topic', text: topic }),
  fromCloudFormation: {
    name: 'Republish',
    params: ({ Topic, Qos, Headers }) => ({
      topic: Topic,
      ...given({ qos: Qos === undefined ? undefined : Number(Qos), headers: camelCase(Headers) }),
    }),
  },
  bind: bindRepublish,
} as const satisfies ActionKind<Params>

/** Ends a cycle of rules that republish to one another. */
const maxHops = 8

function bindRepublish({ topic, qos, headers }: Params, deps: ActionDeps): BoundAction {
  const template = deps.template(topic)
  const topicOf: Template = topic.startsWith('$$') ? (delivery) => template(delivery).slice(1) : template
  const propertiesOf = headers && compileHeaders(headers, deps)
  return {
    action: 'republish',
    targetOf: () => 'broker',
    deliver: fromPromise(async (delivery) => {
      const { message } = delivery
      if (message.hops >= maxHops) throw loop(message)
      const copy: Message = {
        id: derivedId(message.id, delivery.key),
        topic: checked(topicOf(delivery)),
        payload: bytesOf(delivery.body),
        qos,
        retain: false,
        receivedAt: deps.clock.now(),
        source: { clientId: 'N/A', transport: 'inside', ...(message.source.tenant !== undefined && { tenant: message.source.tenant }) },
        hops: message.hops + 1,
        ...(message.trace !== undefined && { trace: message.trace }),
        ...(propertiesOf && { properties: propertiesOf(delivery) }),
      }
      await deps.broker.publish(copy).catch((error) => {
        throw codeOf(error, 'INTERNAL') === 'SPOOL_FULL' ? noRoom(copy) : error
      })
    }),
  }
}

function compileHeaders(headers: z.infer<typeof headersSchema>, { template }: ActionDeps): (delivery: Delivery) => MqttProperties {
  const compile = (text: string | undefined) => (text === undefined ? undefined : template(text))
  const format = compile(headers.payloadFormatIndicator)
  const contentType = compile(headers.contentType)
  const responseTopic = compile(headers.responseTopic)
  const correlation = compile(headers.correlationData)
  const expiry = compile(headers.messageExpiry)
  const user = headers.userProperties?.map(({ key, value }) => [template(key), template(value)] as const)
  return (delivery) => ({
    ...(format && { payloadFormatIndicator: formatIndicator(format(delivery)) }),
    ...(contentType && { contentType: contentType(delivery) }),
    ...(responseTopic && { responseTopic: checked(responseTopic(delivery)) }),
    ...(correlation && { correlationData: Buffer.from(correlation(delivery), 'base64') }),
    ...(expiry && { messageExpiryIntervalSeconds: seconds(expiry(delivery)) }),
    ...(user && { userProperties: user.map(([key, value]) => [key(delivery), value(delivery)] as const) }),
  })
}

function formatIndicator(text: string): boolean {
  if (text === 'UTF8_DATA') return true
  if (text === 'UNSPECIFIED_BYTES') return false
  throw refused(`payloadFormatIndicator is "${text}", and must be UTF8_DATA or UNSPECIFIED_BYTES`)
}

function seconds(text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= 0xffff_ffff) return Number(text)
  throw refused(`messageExpiry is "${text}", and must be a whole number of seconds`)
}

/** AWS IoT Core's limit for a topic. */
const maxTopicBytes = 256

function checked(topic: string): string {
  const problem = hasWildcard(topic) ? 'it may not contain + or #' : nameProblem(topic, maxTopicBytes)
  if (problem === undefined) return topic
  throw new GatewayError('TOPIC_INVALID', `the topic to republish on is not valid: ${problem}`, {
    details: { action: 'republish', target: topic.slice(0, maxTopicBytes) },
  })
}

function refused(text: string): GatewayError {
  return new GatewayError('ACTION_REFUSED', text, { details: { action: 'republish' } })
}

/** Not retryable: a waiting delivery keeps its own message in the spool, so it would wait for itself. */
function noRoom({ topic }: Message): GatewayError {
  return new GatewayError('REPUBLISH_NO_ROOM', 'the spool holds twice what it may', { details: { action: 'republish', target: topic } })
}

function loop({ topic, hops }: Message): GatewayError {
  return new GatewayError('REPUBLISH_LOOP', `the message on "${topic}" was republished ${hops} times`, {
    details: { action: 'republish', target: topic },
  })
}
