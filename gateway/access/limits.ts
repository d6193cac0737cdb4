// How much a client may do. Every check answers with the refusal, or undefined; nothing here waits.
import type { Clock } from '../../lib/clock.ts'
import { createNames, type Names } from '../../lib/names.ts'
import { GatewayError } from '../errors.ts'
import type { MqttProperties } from '../message/message.ts'
import { type LimitsConfig, type QuotaValues, quotas, quotaValues, type RefusingQuota } from './quotas.ts'
import { createKeyedBuckets, type KeyedBuckets, TokenBucket } from './token-bucket.ts'
import { filterProblem, topicProblem } from './topics.ts'

/** Its details name the quota: `{ limit, value }`. */
export type Refusal = GatewayError

export interface PublishAsked {
  readonly topic: string
  readonly payloadBytes: number
  readonly qos: number
  readonly retain?: boolean
  readonly tenant?: string | undefined
  readonly properties?: MqttProperties | undefined
}

export interface Limits {
  readonly quotas: QuotaValues
  /** What is wrong with a client id at any time; counts nothing. */
  checkClientId(clientId: string): Refusal | undefined
  /** Counts the CONNECT when it is not refused. Call it for authorised clients only: the rate belongs to the client id. */
  connect(clientId: string): Refusal | undefined
  /** The counters of one connection; forget it when the connection closes. `tenant`: of its identity. */
  connection(tenant?: string): ConnectionLimits
  /** Seconds of silence the client is allowed are 1.5 times this [AWS iot mqtt keep-alive]. */
  keepAliveSeconds(asked: number): number
  /** MQTT 3 without a clean session asks for Infinity. */
  sessionExpirySeconds(asked: number): number
  messageExpirySeconds(asked: number): number
  /** What would be wrong with a publish at any time; counts nothing. For wills. */
  check(publish: PublishAsked): Refusal | undefined
}

export interface ConnectionLimits {
  /** Counts the publish when it is not refused. QoS 1 stays in flight until `acknowledged`. */
  publish(publish: PublishAsked): Refusal | undefined
  /** The PUBACK of a publish of the client left, or will never leave. */
  acknowledged(): void
  /** A message on its way to the client; counts against the same rates as publishes. */
  deliver(payloadBytes: number, qos: number): Refusal | undefined
  /** The client acknowledged a QoS 1 delivery. */
  delivered(): void
  /** A whole SUBSCRIBE, with an answer for each filter: those not refused count. A filter subscribed to again counts once. */
  subscribe(filters: readonly string[]): readonly (Refusal | undefined)[]
  /** The filters of a session that goes on. */
  resume(filters: readonly string[]): void
  unsubscribe(filters: readonly string[]): void
}

/** Beyond AWS: the account's rates are this gateway's, and tenants have rates of their own. */
export function createLimits(config: LimitsConfig, clock: Pick<Clock, 'monotonic'>): Limits {
  const values = quotaValues(config)
  const start = clock.monotonic()
  const limitsTenants = Number.isFinite(values.tenantPublishesPerSecond) || Number.isFinite(values.tenantBytesPerSecond)
  const shared: Shared = {
    values,
    now: () => clock.monotonic(),
    connects: new TokenBucket(values.connectsPerSecond, start),
    publishes: new TokenBucket(values.inboundPublishesPerSecond, start),
    subscribes: new TokenBucket(values.subscribesPerSecond, start),
    retains: createKeyedBuckets(values.retainsPerTopicPerSecond, start),
    known: createTenantRates(values, start),
    named: createTenantRates(values, start),
    names: createNames({ most: values.tenantNames, idleMs: tenantIdleMs(values), now: () => clock.monotonic() }),
    limitsTenants,
    isUnpaced: !limitsTenants && paces.every((name) => values[name] === Number.POSITIVE_INFINITY),
  }
  const clients = createKeyedBuckets(values.connectsPerClientPerSecond, start)
  return {
    quotas: values,
    checkClientId: (clientId) => clientIdProblem(clientId, values),
    connect(clientId) {
      const now = clock.monotonic()
      return takeAll(values, now, [
        ['connectsPerClientPerSecond', clients.of(clientId, now), 1],
        ['connectsPerSecond', shared.connects, 1],
      ])
    },
    connection: (tenant) => createConnectionLimits(shared, tenant),
    // Zero asks for no keep-alive at all, which there is not.
    keepAliveSeconds: (asked) =>
      Math.max(values.minKeepAliveSeconds, Math.min(values.maxKeepAliveSeconds, asked || Number.POSITIVE_INFINITY)),
    sessionExpirySeconds: (asked) => Math.min(asked, values.sessionExpirySeconds),
    messageExpirySeconds: (asked) => Math.max(1, Math.min(asked, values.messageExpirySeconds)),
    check: (publish) => publishProblem(publish, values),
  }
}

interface Shared {
  readonly values: QuotaValues
  readonly now: () => number
  readonly connects: TokenBucket
  readonly publishes: TokenBucket
  readonly subscribes: TokenBucket
  readonly retains: KeyedBuckets
  /** Of tenants that an identity names. A topic that names one of them does not use up its rate. */
  readonly known: TenantRates
  /** Of tenants that a topic names. */
  readonly named: TenantRates
  readonly names: Names
  readonly limitsTenants: boolean
  /** No rate limits a publish that is not retained: the time need not be asked. */
  readonly isUnpaced: boolean
}

interface TenantRates {
  readonly publishes: KeyedBuckets
  readonly bytes: KeyedBuckets
}

function createTenantRates(values: QuotaValues, start: number): TenantRates {
  return {
    publishes: createKeyedBuckets(values.tenantPublishesPerSecond, start),
    bytes: createKeyedBuckets(values.tenantBytesPerSecond, start),
  }
}

/** A name is forgotten when its buckets are full again, and not before ten minutes. */
function tenantIdleMs({ tenantPublishesPerSecond, tenantBytesPerSecond }: QuotaValues): number {
  return Math.max(600_000, 1_000 / tenantPublishesPerSecond, 1_000 / tenantBytesPerSecond)
}

const paces = ['publishesPerSecond', 'bytesPerSecond', 'inboundPublishesPerSecond'] as const

/** Publishes whose topic names no tenant share one rate: a short topic is no way around the limit. No tenant has this name. */
const noTenant = ''

function createConnectionLimits(shared: Shared, own: string | undefined): ConnectionLimits {
  const { values, now } = shared
  const messages = new TokenBucket(values.publishesPerSecond, now())
  const bytes = new TokenBucket(values.bytesPerSecond, now())
  const subscribed = new Set<string>()
  /** Most devices speak on one topic. */
  let soundTopic: string | undefined
  let inbound = 0
  let outbound = 0

  const rarer = ({ topic, payloadBytes, retain, tenant }: PublishAsked, at: number): readonly Take[] => [
    ...(retain ? [['retainsPerTopicPerSecond', shared.retains.of(topic, at), 1] as const] : []),
    ...tenantTakes(tenant, payloadBytes, at),
  ]

  const tenantTakes = (tenant: string | undefined, payloadBytes: number, at: number): readonly Take[] => {
    const isOwn = tenant !== undefined && tenant === own
    const { publishes, bytes } = isOwn ? shared.known : shared.named
    const account = isOwn ? tenant : tenant === undefined ? noTenant : shared.names.accountOf(tenant)
    return [
      ['tenantPublishesPerSecond', publishes.of(account, at), 1],
      ['tenantBytesPerSecond', bytes.of(account, at), payloadBytes],
    ]
  }

  const pace = (publish: PublishAsked): Refusal | undefined => {
    const { payloadBytes, retain } = publish
    const at = now()
    // The few that most publishes pass are asked one by one: a list of them would be made anew for each.
    if (!messages.has(1, at)) return refusal(values, 'publishesPerSecond')
    if (!bytes.has(payloadBytes, at)) return refusal(values, 'bytesPerSecond')
    if (!shared.publishes.has(1, at)) return refusal(values, 'inboundPublishesPerSecond')
    const refused = retain || shared.limitsTenants ? takeAll(values, at, rarer(publish, at)) : undefined
    if (refused) return refused
    messages.take(1)
    bytes.take(payloadBytes)
    shared.publishes.take(1)
    return undefined
  }

  return {
    publish(publish) {
      const { qos, retain } = publish
      const problem = publishProblem(publish, values, soundTopic)
      if (problem) return problem
      soundTopic = publish.topic
      if (qos > 0 && inbound >= values.inFlightInbound) return refusal(values, 'inFlightInbound')
      const refused = shared.isUnpaced && !retain ? undefined : pace(publish)
      if (refused) return refused
      if (qos > 0) inbound++
      return undefined
    },
    acknowledged() {
      inbound = Math.max(0, inbound - 1)
    },
    deliver(payloadBytes, qos) {
      if (qos > 0 && outbound >= values.inFlightOutbound) return refusal(values, 'inFlightOutbound')
      const refused = takeAll(values, now(), [
        ['publishesPerSecond', messages, 1],
        ['bytesPerSecond', bytes, payloadBytes],
      ])
      if (!refused && qos > 0) outbound++
      return refused
    },
    delivered() {
      outbound = Math.max(0, outbound - 1)
    },
    subscribe(filters) {
      const refused =
        filters.length > values.filtersPerSubscribe
          ? refusal(values, 'filtersPerSubscribe')
          : takeAll(values, now(), [['subscribesPerSecond', shared.subscribes, 1]])
      if (refused) return filters.map(() => refused)
      return filters.map((filter) => {
        const wrong = filterProblem(filter, values)
        if (wrong) return new GatewayError('TOPIC_INVALID', wrong)
        if (!subscribed.has(filter) && subscribed.size >= values.subscriptionsPerConnection) {
          return refusal(values, 'subscriptionsPerConnection')
        }
        subscribed.add(filter)
        return undefined
      })
    },
    resume(filters) {
      for (const filter of filters) subscribed.add(filter)
    },
    unsubscribe(filters) {
      for (const filter of filters) subscribed.delete(filter)
    },
  }
}

/** What would be wrong at any time. `soundTopic` has been looked at before. */
function publishProblem(publish: PublishAsked, values: QuotaValues, soundTopic?: string): Refusal | undefined {
  const { topic, payloadBytes, qos, retain, properties } = publish
  if (qos > 1) return new GatewayError('QOS_NOT_SUPPORTED', 'QoS 2 is not supported; publish with QoS 0 or 1')
  const problem = topic === soundTopic ? undefined : topicProblem(topic, values)
  if (problem) return new GatewayError('TOPIC_INVALID', problem)
  // [AWS iot retained messages]
  if (retain && topic.startsWith('$')) return new GatewayError('TOPIC_INVALID', 'a reserved topic cannot be retained')
  if (payloadBytes > values.payloadBytes) return refusal(values, 'payloadBytes')
  return properties && propertiesProblem(properties, values)
}

function propertiesProblem({ contentType, correlationData, userProperties }: MqttProperties, values: QuotaValues): Refusal | undefined {
  const sizes: readonly (readonly [RefusingQuota, number])[] = [
    ['contentTypeBytes', contentType === undefined ? 0 : Buffer.byteLength(contentType)],
    ['correlationDataBytes', correlationData?.length ?? 0],
    [
      'userPropertiesBytes',
      (userProperties ?? []).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0),
    ],
  ]
  const over = sizes.find(([name, size]) => size > values[name])
  return over && refusal(values, over[0])
}

function clientIdProblem(clientId: string, values: QuotaValues): Refusal | undefined {
  if (Buffer.byteLength(clientId) > values.clientIdBytes) return refusal(values, 'clientIdBytes')
  // [MQTT-1.5.4-2]; U+FFFD is what undecodable bytes became.
  if (/[\0\ufffd]/.test(clientId) || !clientId.isWellFormed())
    return new GatewayError('CLIENT_ID_INVALID', 'a client id must be UTF-8 without U+0000')
  return undefined
}

type Take = readonly [name: RefusingQuota, bucket: TokenBucket, count: number]

/** Takes from all buckets, or from none. */
function takeAll(values: QuotaValues, now: number, takes: readonly Take[]): Refusal | undefined {
  for (const [name, bucket, count] of takes) if (!bucket.has(count, now)) return refusal(values, name)
  for (const [, bucket, count] of takes) bucket.take(count)
  return undefined
}

function refusal(values: QuotaValues, name: RefusingQuota): Refusal {
  const { code, means, unit } = quotas[name]
  return new GatewayError(code, `over the limit of ${values[name]} ${unit}: ${means}`, { details: { limit: name, value: values[name] } })
}
