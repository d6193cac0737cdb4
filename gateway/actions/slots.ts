// Bounds how many calls one action makes at the same time, and how many of them unproven targets of a template may use.
import { GatewayError } from '../errors.ts'

export interface SlotsOptions {
  /** Calls at the same time. */
  readonly count: number
  /** true: keys name targets that a template made from messages. */
  readonly isTemplated: boolean
}

export interface Slots {
  /** Runs the work when a slot is free, first come first served. Rejects with ACTION_FAILED when too many wait for targets that do not answer. */
  run(key: string, work: () => Promise<void>): Promise<void>
  /** The target accepted its last call. */
  isProven(key: string): boolean
  /** So many wait that more had better wait on disk. */
  isFull(): boolean
}

interface Waiter {
  readonly key: string
  /** `wasProven` decides which slots the call gives back. */
  start(wasProven: boolean): void
}

/** Proven targets that are remembered. */
const maxProven = 10_000
/** Unproven targets are in trouble when so many of their last calls were not answered. */
const judged = 16
const tooManyUnanswered = 2

/*
   Devices can name any number of targets that let a call wait until it times out. So targets that have not accepted a call yet
   share half of the slots. While many of their calls are not answered, one delivery may wait for each of these slots; the others
   fail at once.
*/
export function createSlots({ count, isTemplated }: SlotsOptions): Slots {
  const proven = new Set<string>()
  const unproven: Waiter[] = []
  const waiting: Waiter[] = []
  const unprovenCount = isTemplated ? Math.ceil(count / 2) : count
  /** One entry for each of the last calls to unproven targets: whether it was answered. */
  const answers: boolean[] = []
  let free = count
  let freeForUnproven = unprovenCount

  const isProven = (key: string) => !isTemplated || proven.has(key)
  const unanswered = () => answers.reduce((sum, wasAnswered) => (wasAnswered ? sum : sum + 1), 0)

  const start = ({ key, start }: Waiter) => {
    const wasProven = isProven(key)
    free--
    if (!wasProven) freeForUnproven--
    start(wasProven)
  }

  const next = () => {
    while (free > 0 && waiting.length > 0) start(waiting.shift()!)
    while (free > 0 && unproven.length > 0 && (freeForUnproven > 0 || isProven(unproven[0]!.key))) start(unproven.shift()!)
  }

  const enter = (key: string): boolean | Promise<boolean> => {
    const queue = isProven(key) ? waiting : unproven
    if (queue === unproven && unproven.length >= unprovenCount && unanswered() >= tooManyUnanswered) {
      throw new GatewayError('ACTION_FAILED', 'too many messages wait for endpoints that do not answer', { details: { action: 'http' } })
    }
    let entered: boolean | undefined
    const later = Promise.withResolvers<boolean>()
    queue.push({
      key,
      start(wasProven) {
        entered = wasProven
        later.resolve(wasProven)
      },
    })
    next()
    return entered ?? later.promise
  }

  const learn = (key: string, wasProven: boolean, error: unknown) => {
    if (!isTemplated) return
    const wasAnswered = !(error instanceof GatewayError && error.retryable)
    if (!wasProven && answers.push(wasAnswered) > judged) answers.shift()
    proven.delete(key)
    if (error !== undefined) return
    proven.add(key)
    if (proven.size > maxProven) for (const oldest of proven) return void proven.delete(oldest)
  }

  return {
    async run(key, work) {
      const entered = enter(key)
      const wasProven = typeof entered === 'boolean' ? entered : await entered
      let failure: unknown
      try {
        await work()
      } catch (error) {
        failure = error
        throw error
      } finally {
        learn(key, wasProven, failure)
        free++
        if (!wasProven) freeForUnproven++
        next()
      }
    },
    isProven,
    isFull: () => waiting.length + unproven.length >= count,
  }
}
