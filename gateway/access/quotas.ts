// AWS IoT Core's quotas as one table: what fails in the cloud fails here first, under the same number.
import { z } from 'zod'
import type { ErrorCode } from '../errors.ts'

export interface Quota {
  readonly value: number
  readonly unit: string
  readonly per: 'message' | 'topic' | 'connection' | 'client id' | 'account' | 'tenant'
  readonly means: string
  /** What happens beyond it. */
  readonly beyond: string
  /** The refusal; none where the value is adjusted instead. */
  readonly code?: ErrorCode
  readonly source: string
}

const core = 'AWS IoT Core endpoints and quotas'
const guide = 'AWS IoT Core Developer Guide, MQTT'
const KB = 1_024

export const quotas = {
  payloadBytes: {
    value: 128 * KB,
    unit: 'bytes',
    per: 'message',
    means: 'payload of one publish',
    beyond: 'refused; MQTT disconnects, HTTP answers 413',
    code: 'PAYLOAD_TOO_LARGE',
    source: core,
  },
  packetBytes: {
    value: 146 * KB,
    unit: 'bytes',
    per: 'message',
    means: 'one MQTT packet, properties included',
    beyond: 'disconnected',
    code: 'PAYLOAD_TOO_LARGE',
    source: core,
  },
  topicBytes: {
    value: 256,
    unit: 'bytes of UTF-8',
    per: 'message',
    means: 'a topic or a filter; the prefixes of Basic Ingest and of shared subscriptions do not count',
    beyond: 'refused',
    code: 'TOPIC_INVALID',
    source: core,
  },
  topicSlashes: {
    value: 7,
    unit: 'slashes',
    per: 'message',
    means: 'slashes in a topic or a filter, the same prefixes not counted',
    beyond: 'refused',
    code: 'TOPIC_INVALID',
    source: core,
  },
  contentTypeBytes: {
    value: 256,
    unit: 'bytes',
    per: 'message',
    means: 'content type of an MQTT 5 publish',
    beyond: 'refused',
    code: 'PROPERTY_TOO_LARGE',
    source: core,
  },
  correlationDataBytes: {
    value: 8 * KB,
    unit: 'bytes',
    per: 'message',
    means: 'correlation data of an MQTT 5 publish',
    beyond: 'refused',
    code: 'PROPERTY_TOO_LARGE',
    source: core,
  },
  userPropertiesBytes: {
    value: 8 * KB,
    unit: 'bytes',
    per: 'message',
    means: 'names and values of all MQTT 5 user properties together',
    beyond: 'refused',
    code: 'PROPERTY_TOO_LARGE',
    source: core,
  },
  messageExpirySeconds: {
    value: 604_800,
    unit: 'seconds',
    per: 'message',
    means: 'MQTT 5 message expiry; zero becomes one',
    beyond: 'reduced to the limit',
    source: core,
  },
  publishesPerSecond: {
    value: 100,
    unit: '1/s',
    per: 'connection',
    means: 'publishes in both directions together',
    beyond: 'the excess is not taken and not acknowledged',
    code: 'RATE_EXCEEDED',
    source: core,
  },
  bytesPerSecond: {
    value: 512 * KB,
    unit: 'bytes/s',
    per: 'connection',
    means: 'payload bytes in both directions together',
    beyond: 'the excess is not taken and not acknowledged',
    code: 'RATE_EXCEEDED',
    source: core,
  },
  inFlightInbound: {
    value: 100,
    unit: 'messages',
    per: 'connection',
    means: 'QoS 1 publishes of the client that are not acknowledged yet',
    beyond: 'not taken; MQTT 5 disconnects with reason 147',
    code: 'IN_FLIGHT_EXCEEDED',
    source: core,
  },
  inFlightOutbound: {
    value: 100,
    unit: 'messages',
    per: 'connection',
    means: 'QoS 1 deliveries that the client has not acknowledged yet',
    beyond: 'the next delivery waits',
    code: 'IN_FLIGHT_EXCEEDED',
    source: core,
  },
  storedDeliveriesPerSecond: {
    value: 10,
    unit: '1/s',
    per: 'connection',
    means: 'messages that waited for a client while it was away, when it is back',
    beyond: 'the next delivery waits',
    source: guide,
  },
  filtersPerSubscribe: {
    value: 8,
    unit: 'filters',
    per: 'connection',
    means: 'topic filters in one SUBSCRIBE',
    beyond: 'refused',
    code: 'SUBSCRIPTIONS_EXCEEDED',
    source: core,
  },
  subscriptionsPerConnection: {
    value: 50,
    unit: 'filters',
    per: 'connection',
    means: 'subscriptions held at a time',
    beyond: 'refused',
    code: 'SUBSCRIPTIONS_EXCEEDED',
    source: core,
  },
  topicAliases: {
    value: 8,
    unit: 'aliases',
    per: 'connection',
    means: 'MQTT 5 topic aliases, each way',
    beyond: 'MQTT 5 disconnects with reason 148',
    code: 'TOPIC_INVALID',
    source: core,
  },
  minKeepAliveSeconds: {
    value: 30,
    unit: 'seconds',
    per: 'connection',
    means: 'shortest keep-alive',
    beyond: 'raised to the limit',
    source: core,
  },
  maxKeepAliveSeconds: {
    value: 1_200,
    unit: 'seconds',
    per: 'connection',
    means: 'longest keep-alive, also when a client asks for none',
    beyond: 'reduced to the limit',
    source: core,
  },
  sessionExpirySeconds: {
    value: 3_600,
    unit: 'seconds',
    per: 'connection',
    means: 'life of a persistent session after the client left; AWS raises it to seven days on request',
    beyond: 'reduced to the limit',
    source: guide,
  },
  webSocketSeconds: {
    value: 86_400,
    unit: 'seconds',
    per: 'connection',
    means: 'life of a WebSocket connection',
    beyond: 'closed',
    source: core,
  },
  clientIdBytes: {
    value: 128,
    unit: 'bytes of UTF-8',
    per: 'client id',
    means: 'length of a client id',
    beyond: 'refused',
    code: 'CLIENT_ID_INVALID',
    source: core,
  },
  connectsPerClientPerSecond: {
    value: 1,
    unit: '1/s',
    per: 'client id',
    means: 'CONNECTs of one client id, by clients that may use it',
    beyond: 'refused',
    code: 'CONNECT_RATE_EXCEEDED',
    source: core,
  },
  retainsPerTopicPerSecond: {
    value: 1,
    unit: '1/s',
    per: 'topic',
    means: 'retained publishes to one topic',
    beyond: 'the excess is not taken and not acknowledged',
    code: 'RATE_EXCEEDED',
    source: core,
  },
  connectsPerSecond: {
    value: 3_000,
    unit: '1/s',
    per: 'account',
    means: 'CONNECTs of all clients; 100 in smaller Regions',
    beyond: 'refused',
    code: 'CONNECT_RATE_EXCEEDED',
    source: core,
  },
  retainedMessages: {
    value: 500_000,
    unit: 'messages',
    per: 'account',
    means: 'topics with a retained message; 100000 in smaller Regions',
    beyond: 'a retained publish to one more topic is not taken and not acknowledged',
    code: 'RETAINED_FULL',
    source: core,
  },
  inboundPublishesPerSecond: {
    value: 20_000,
    unit: '1/s',
    per: 'account',
    means: 'publishes of all clients; 2000 in smaller Regions',
    beyond: 'the excess is not taken and not acknowledged',
    code: 'RATE_EXCEEDED',
    source: core,
  },
  subscribesPerSecond: {
    value: 3_000,
    unit: '1/s',
    per: 'account',
    means: 'SUBSCRIBE requests of all clients; 200 in smaller Regions, UNSUBSCRIBE included',
    beyond: 'refused',
    code: 'RATE_EXCEEDED',
    source: core,
  },
  tenantPublishesPerSecond: {
    value: Number.POSITIVE_INFINITY,
    unit: '1/s',
    per: 'tenant',
    means: 'publishes of one tenant, all its devices together; those that name no tenant share one rate; AWS has no such limit',
    beyond: 'the excess is not taken and not acknowledged',
    code: 'TENANT_RATE_EXCEEDED',
    source: 'Weir',
  },
  tenantBytesPerSecond: {
    value: Number.POSITIVE_INFINITY,
    unit: 'bytes/s',
    per: 'tenant',
    means: 'payload bytes of one tenant; publishes that name no tenant share one rate; AWS has no such limit',
    beyond: 'the excess is not taken and not acknowledged',
    code: 'TENANT_RATE_EXCEEDED',
    source: 'Weir',
  },
  tenantNames: {
    value: 1_000,
    unit: 'names',
    per: 'account',
    means: 'tenants named by a topic that have a rate of their own; tenants of an identity do not count',
    beyond: 'further names share one rate',
    source: 'Weir',
  },
} as const satisfies Record<string, Quota>

export type QuotaName = keyof typeof quotas
/** Those beyond which something is refused; the others are adjusted. */
export type RefusingQuota = { [Name in QuotaName]: (typeof quotas)[Name] extends { readonly code: ErrorCode } ? Name : never }[QuotaName]
export type QuotaValues = Readonly<Record<QuotaName, number>>

const names = Object.keys(quotas) as readonly QuotaName[]

const overrides = Object.fromEntries(
  names.map((name) => {
    const { means, unit, value } = quotas[name]
    const text = `${means}, in ${unit} (aws: ${Number.isFinite(value) ? value : 'off'})`
    return [
      name,
      z
        .union([z.number().positive(), z.literal('off')])
        .optional()
        .describe(text),
    ]
  }),
) as Record<QuotaName, z.ZodOptional<z.ZodUnion<readonly [z.ZodNumber, z.ZodLiteral<'off'>]>>>

export const limitsSchema = z
  .union([z.literal('aws'), z.literal('none'), z.strictObject(overrides)])
  .default('aws')
  .describe("aws: IoT Core's quotas; none: no limits; or the quotas that differ from aws, each a number or off")

export type LimitsConfig = z.infer<typeof limitsSchema>

/** A lower bound that is switched off is zero, every other limit infinite. */
const offValue = (name: QuotaName) => (name === 'minKeepAliveSeconds' ? 0 : Number.POSITIVE_INFINITY)

export function quotaValues(config: LimitsConfig): QuotaValues {
  const valueFor = (name: QuotaName) => {
    if (config === 'none') return offValue(name)
    const chosen = config === 'aws' ? undefined : config[name]
    return chosen === 'off' ? offValue(name) : (chosen ?? quotas[name].value)
  }
  return Object.freeze(Object.fromEntries(names.map((name) => [name, valueFor(name)]))) as QuotaValues
}
