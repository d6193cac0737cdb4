// Publishes the rule's result as a new message on another topic.
import { z } from 'zod'
import { codeOf, GatewayError } from '../errors.ts'
import { bytesOf } from '../message/body.ts'
import { derivedId } from '../message/ids.ts'
import type { Message, MqttProperties } from '../message/message.ts'
import { type ActionDeps, type ActionKind, type Delivery, promised, type Target, type Template } from './action.ts'
import { roleArn } from './params.ts'

const header = z.string().min(1).max(1_024)
const headersSchema = z.strictObject({
  payloadFormatIndicator: header.optional().describe('`UNSPECIFIED_BYTES` or `UTF8_DATA`; may be a template'),
  contentType: header.optional().describe('may be a template'),
  responseTopic: header.optional().describe('may be a template'),
  correlationData: header.optional().describe('base64 text; may be a template'),
  messageExpiry: header.optional().describe('seconds, as text; may be a template'),
  userProperties: z
    .array(z.strictObject({ key: header.describe('name; may repeat'), value: header.describe('text') }))
    .min(1)
    .max(100)
    .optional()
    .describe('keys and values may be templates'),
})

const params = z.strictObject({
  topic: z.string().min(1).describe('topic of the new message, a template; a leading `$$` stands for `$`, for reserved topics'),
  qos: z
    .union([z.literal(0), z.literal(1)])
    .default(0)
    .describe('0 or 1'),
  headers: headersSchema.optional().describe('MQTT 5 properties of the new message; those of the original are not copied'),
  roleArn,
})

/** A rule may feed another, but a circle of rules would never end. */
const maxHops = 8

export const republish = {
  summary: 'Publish the result on another topic.',
  params,
  bind({ topic, qos, headers }, deps): Target {
    const template = deps.template(topic)
    const topicOf: Template = topic.startsWith('$$') ? (delivery) => template(delivery).slice(1) : template
    const propertiesOf = headers && compileHeaders(headers, deps)
    return {
      action: 'republish',
      targetOf: () => 'broker',
      deliver: promised(async (delivery) => {
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
  },
} satisfies ActionKind<z.infer<typeof params>>

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

// [MQTT-3.3.2-2], [MQTT-4.7.3-1]; 256 bytes is AWS IoT Core's limit.
function checked(topic: string): string {
  if (topic !== '' && !/[+#\0]/.test(topic) && Buffer.byteLength(topic) <= 256) return topic
  throw new GatewayError('TOPIC_INVALID', 'the topic to republish on is empty, over 256 bytes, or holds + or #', {
    details: { action: 'republish', target: topic.slice(0, 256) },
  })
}

function refused(text: string): GatewayError {
  return new GatewayError('ACTION_REFUSED', text, { details: { action: 'republish' } })
}

/** Final: whoever waited for room would hold the very message whose leaving makes it. */
function noRoom({ topic }: Message): GatewayError {
  return new GatewayError('REPUBLISH_NO_ROOM', 'the spool holds twice what it may', { details: { action: 'republish', target: topic } })
}

function loop({ topic, hops }: Message): GatewayError {
  return new GatewayError('REPUBLISH_LOOP', `the message on "${topic}" was republished ${hops} times`, {
    details: { action: 'republish', target: topic },
  })
}
