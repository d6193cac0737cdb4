// Who may do what, and how much. Every door and the broker ask here before anything else happens.
import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { GatewayError } from '../errors.ts'
import type { Source, Transport } from '../message/message.ts'
import type { Observe } from '../observe/observe.ts'
import type { Arns } from './arn.ts'
import { createAuthorizer, type Will } from './authorizer.ts'
import { type Credentials, createIdentities, type Identity, identitySchema } from './identity.ts'
import { type ConnectionLimits, createLimits, type Limits, type PublishAsked } from './limits.ts'
import { limitsSchema } from './quotas.ts'
import type { Verifier } from './secrets.ts'
import { noThings, type Things } from './things.ts'
import { levelOf } from './topics.ts'

export const accessSchema = z.strictObject({
  ...identitySchema.shape,
  limits: limitsSchema,
  tenantTopicLevel: z
    .number()
    .int()
    .min(1)
    .max(8)
    .nullable()
    .default(3)
    .describe(
      'the topic level, counted from 1 as in topic(n), that names the tenant of a client whose identity names none; null where topics name none',
    ),
})

export type AccessConfig = z.infer<typeof accessSchema>

/** What a door knows of whoever is at the other end of a connection. */
export interface Caller extends Omit<Credentials, 'clientId'> {
  readonly transport: Transport
}

export interface Connect {
  readonly clientId: string
  readonly persistent: boolean
  readonly will?: Will & Pick<PublishAsked, 'payloadBytes' | 'qos'>
}

/** One connection that was let in: what it asks is answered with a refusal or nothing, and counted. */
export interface Session {
  readonly identity: Identity
  readonly source: Source
  /** The tenant a publish belongs to. */
  tenantOf(topic: string): string | undefined
  publish(publish: PublishAsked): GatewayError | undefined
  /** A QoS 1 publish that was not refused has been answered, or never will be. */
  acknowledged(): void
  /** A whole SUBSCRIBE, with an answer of the limits for each filter. */
  subscribe(filters: readonly string[]): readonly (GatewayError | undefined)[]
  /** The filters of a session that goes on: they count, and are not asked again. */
  resume(filters: readonly string[]): void
  /** One filter: what a policy says. */
  maySubscribe(filter: string): GatewayError | undefined
  unsubscribe(filters: readonly string[]): void
  /** Asked at each delivery; what is refused is dropped without a word. */
  receive(topic: string, payloadBytes: number): GatewayError | undefined
  /** Why the connection may not go on after a change of the registry: NOT_AUTHENTICATED. Who must say so asks after each change. */
  revoked(): GatewayError | undefined
}

export interface Access {
  readonly limits: Limits
  /** An MQTT CONNECT. Rejects with NOT_AUTHENTICATED, NOT_AUTHORIZED, CLIENT_ID_INVALID or CONNECT_RATE_EXCEEDED. */
  connect(caller: Caller, connect: Connect): Promise<Session>
  /** A connection that only publishes and has no client id of its own, such as HTTP. */
  enter(caller: Caller): Promise<Session>
  thing(name: string): ReturnType<Things['thing']>
  /** Called when the registry has changed, until the returned function is called. */
  onChange(listener: () => void): () => void
}

export interface AccessDeps {
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'sleep'>
  readonly observe: Observe
  readonly arns: Arns
  /** Asked at each connect, so that a registry read anew counts at once. */
  readonly things?: () => Things
  readonly listen?: (listener: () => void) => () => void
  readonly verifier?: Verifier
}

/** A client that connects again within its second waits for the next one; only so many may wait. */
const connectAttempts = 3
const connectWaitMs = 1_000

export function createAccess(config: AccessConfig, deps: AccessDeps): Access {
  const { clock, observe, arns, things = () => noThings, listen = () => () => undefined, verifier } = deps
  const identities = createIdentities({ things, anonymous: config.anonymous, clock, ...(verifier ? { verifier } : {}) })
  const limits = createLimits(config.limits, clock)

  const named = (refused: GatewayError): GatewayError => {
    const { limit } = refused.details
    if (typeof limit === 'string') observe.record('limit.exceeded', { limit, code: refused.code })
    return refused
  }

  const pace = async (clientId: string) => {
    for (let attempt = 1; ; attempt++) {
      const refused = limits.connect(clientId)
      if (!refused) return
      if (refused.code !== 'CONNECT_RATE_EXCEEDED' || attempt === connectAttempts) throw named(refused)
      await clock.sleep(connectWaitMs)
    }
  }

  const open = (caller: Caller, clientId: string, identity: Identity): Session => {
    const { tenant, principal } = identity
    const source: Source = Object.freeze({
      clientId,
      transport: caller.transport,
      ...(principal === undefined ? {} : { principal }),
      ...(tenant === undefined ? {} : { tenant }),
      ...(caller.sourceIp === undefined ? {} : { sourceIp: caller.sourceIp }),
    })
    return createSession({
      identity,
      source,
      counters: limits.connection(tenant),
      arns,
      things,
      tenantTopicLevel: config.tenantTopicLevel,
      named,
    })
  }

  return {
    limits,
    thing: (name) => things().thing(name),
    onChange: listen,
    async connect(caller, { clientId, persistent, will }) {
      const problem = limits.checkClientId(clientId)
      if (problem) throw named(problem)
      const identity = await identities.identify({ ...caller, clientId })
      const session = open(caller, clientId, identity)
      const asked = { persistent, ...(will ? { will } : {}) }
      const refused = createAuthorizer(identity, arns).connect(asked) ?? (will && limits.check(will))
      if (refused) throw named(refused)
      // Only a client that may use this id takes from the id's rate: nobody else can lock the device out.
      await pace(clientId)
      const revoked = session.revoked()
      if (revoked) throw revoked
      return session
    },
    async enter(caller) {
      const identity = await identities.identify(caller)
      return open(caller, identity.principal ?? '', identity)
    },
  }
}

interface SessionParts extends Pick<AccessConfig, 'tenantTopicLevel'> {
  readonly identity: Identity
  readonly source: Source
  readonly counters: ConnectionLimits
  readonly arns: Arns
  readonly things: () => Things
  readonly named: (refused: GatewayError) => GatewayError
}

function createSession({ identity, source, counters, arns, things, tenantTopicLevel, named }: SessionParts): Session {
  // Anonymous clients may do everything that the limits allow.
  const free = identity.kind === 'anonymous'
  let registry = things()
  let authorizer = createAuthorizer(identity, arns)
  let gone: GatewayError | undefined

  /** Policies count as they are now; who the connection is must be what it was. */
  const revoked = (): GatewayError | undefined => {
    if (free || gone || things() === registry) return gone
    registry = things()
    try {
      const now = identity.renewed()
      if (now.tenant !== identity.tenant) throw new GatewayError('NOT_AUTHENTICATED', 'the connection belongs to another tenant now')
      authorizer = createAuthorizer(now, arns)
    } catch (error) {
      gone = error as GatewayError
    }
    return gone
  }
  const tenantOf = (topic: string) => source.tenant ?? levelOf(topic, tenantTopicLevel)
  return {
    identity,
    source,
    tenantOf,
    publish(publish) {
      const denied = free ? undefined : (revoked() ?? authorizer.publish(publish.topic, publish.retain === true))
      if (denied) return denied
      const refused = counters.publish(publish)
      return refused && named(refused)
    },
    acknowledged: () => counters.acknowledged(),
    subscribe(filters) {
      const refusals = counters.subscribe(filters)
      for (const refused of new Set(refusals)) if (refused) named(refused)
      return refusals
    },
    resume: (filters) => counters.resume(filters),
    maySubscribe: (filter) => (free ? undefined : (revoked() ?? authorizer.subscribe(filter))),
    unsubscribe: (filters) => counters.unsubscribe(filters),
    receive(topic, payloadBytes) {
      const denied = free ? undefined : (revoked() ?? authorizer.receive(topic))
      if (denied) return denied
      const refused = counters.deliver(payloadBytes, 0)
      return refused && named(refused)
    },
    revoked,
  }
}
