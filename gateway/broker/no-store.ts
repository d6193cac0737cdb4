// What aedes asks its store: nothing is there. Sessions, queues and retained messages are kept elsewhere, and no packet of theirs reaches aedes.
import { Readable } from 'node:stream'

const nothing = async () => undefined
const unknown = async () => {
  throw new Error('no such packet')
}

export function createNoStore(): object {
  return {
    setup: async () => {},
    subscriptionsByClient: async () => [],
    cleanSubscriptions: nothing,
    putWill: nothing,
    delWill: nothing,
    streamWill: () => Readable.from([]),
    outgoingStream: () => Readable.from([]),
    // Of QoS 2, which nobody is offered [AWS iot mqtt differences].
    outgoingUpdate: unknown,
    outgoingClearMessageId: unknown,
    incomingGetPacket: unknown,
    incomingDelPacket: unknown,
    incomingStorePacket: unknown,
    destroy: nothing,
  }
}
