// The readings that the gateway packed into one message, for whoever handles them one by one.
import { packAttribute, unpack } from '../../lib/pack.ts'
import { PermanentFailure } from './failure.ts'
import type { Item } from './queue.ts'

/** One part of a packed message; what it does not say is the message's. */
export interface Part {
  readonly key: string
  readonly body: Uint8Array
  readonly attributes?: Item['attributes']
}

/** undefined: not a pack. Throws a PermanentFailure for a message that is marked as one and is none. */
export function partsOf({ attributes, body }: Item): readonly Part[] | undefined {
  const { [packAttribute]: packed, ...own } = attributes
  if (packed === undefined) return undefined
  try {
    return unpack(body).map((reading) => ({ ...reading, attributes: own }))
  } catch (cause) {
    throw new PermanentFailure('the message is marked as a pack and is none', { cause })
  }
}
