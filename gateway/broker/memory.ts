// Memory that the broker holds for its clients: one account with one limit.
//
// Whatever a client can make the broker keep is added here: sessions, filters, retained and queued messages, and packets that a client
// does not read. `test/bench/memory.ts` compares the account with the resident memory of a gateway.

import { GatewayError } from '../errors.ts'

export interface Memory {
  readonly used: number
  readonly max: number
  hasRoom(bytes: number): boolean
  /**
   * Whether one holder may hold that many bytes in all. It may hold as much as is still free, so one that grows without end leaves
   * half of the memory to the others, and two of them a third.
   */
  allows(held: number): boolean
  /** A negative number gives bytes back. */
  add(bytes: number): void
}

export const defaultMaxBytes = 256 * 1024 ** 2

export function createMemory(max: number = defaultMaxBytes): Memory {
  let used = 0
  return {
    get used() {
      return used
    },
    max,
    hasRoom: (bytes) => used + bytes <= max,
    allows: (held) => held <= max - used,
    add(bytes) {
      used += bytes
    },
  }
}

/** For what does not fit. */
export function memoryFull({ max }: Memory): GatewayError {
  const text = `the ${max} bytes of sessions.maxBytes are in use; raise sessions.maxBytes, or shorten the life of sessions`
  return new GatewayError('SESSIONS_FULL', text, { details: { limit: 'sessions.maxBytes', value: max } })
}

/** Bytes of V8 objects, with the share of a Map or Set that holds them. Text is one byte a character, or two. */
const cost = {
  /** The session, its place in four maps, and two maps of its own. */
  session: 900,
  /** An entry of the tree of filters, with the place in the maps of its session and of its connection. */
  filter: 200,
  /** A level of a filter that no other filter has. */
  level: 110,
  /** A shared subscription, with its members' map. */
  group: 500,
  /** A message and its place in two maps. */
  message: 350,
  /** The buffer of a payload that is not kept compact. */
  buffer: 400,
  userProperty: 200,
  /** A place in the queue of a session, and in the outbox of its connection. */
  queued: 160,
} as const

/** Payloads up to this are kept as text of one byte a character. */
export const compactPayloadBytes = 4_096

/** Text is kept with the session and with its connection. */
export const sessionBytes = (clientId: string): number => cost.session + 3 * clientId.length
export const filterBytes = (filter: string): number => cost.filter + 2 * filter.length
export const levelBytes = (level: string): number => cost.level + level.length
export const groupBytes = (filter: string): number => cost.group + 2 * filter.length
export const queuedBytes: number = cost.queued

/** What a filter costs when no other filter shares a level with it. */
export function newFilterBytes(filter: string): number {
  const levels = filter.split('/')
  return (
    filterBytes(filter) +
    levels.reduce((sum, level) => sum + levelBytes(level), 0) +
    (filter.startsWith('$share/') ? groupBytes(filter) : 0)
  )
}

interface Sized {
  readonly topic: string
  readonly payload: Uint8Array
  readonly properties?: {
    readonly contentType?: string
    readonly responseTopic?: string
    readonly correlationData?: Uint8Array
    readonly userProperties?: readonly (readonly [name: string, value: string])[]
  }
}

export function messageBytes({ topic, payload, properties }: Sized): number {
  const buffer = payload.length > compactPayloadBytes ? cost.buffer : 0
  return cost.message + buffer + 2 * topic.length + payload.length + (properties ? propertiesBytes(properties) : 0)
}

function propertiesBytes({
  contentType = '',
  responseTopic = '',
  correlationData,
  userProperties = [],
}: NonNullable<Sized['properties']>): number {
  let bytes = cost.userProperty + 2 * (contentType.length + responseTopic.length) + (correlationData?.length ?? 0)
  for (const [name, value] of userProperties) bytes += cost.userProperty + 2 * (name.length + value.length)
  return bytes
}
