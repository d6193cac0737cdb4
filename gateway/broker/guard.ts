// The last line of defence: an error in the handling of one connection ends that connection, never the process.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Duplex } from 'node:stream'

/*
   Errors leave a connection in three ways, and each is caught:
     thrown by a listener of its stream           guardStream
     rejected by a promise that the broker awaits  .catch where the promise is made
     thrown by a timer, a callback or a promise
     that aedes began for the connection          guarded + catchLost
*/

type OnError = (error: unknown) => void

const connection = new AsyncLocalStorage<OnError>()

/** Errors that listeners of the stream throw go to `onError`. */
export function guardStream(stream: Duplex, onError: OnError): void {
  const emit = stream.emit
  stream.emit = function (this: Duplex, ...args: Parameters<typeof emit>) {
    try {
      return emit.apply(this, args)
    } catch (error) {
      onError(error)
      return true
    }
  } as typeof emit
}

/** Runs `run`. What it leaves behind (timers, callbacks, promises) belongs to the connection: `catchLost` finds its `onError`. */
export function guarded<T>(onError: OnError, run: () => T): T {
  return connection.run(onError, run)
}

let users = 0

/** While in use, uncaught errors that belong to a connection go to its `onError`; others end the process as ever. Returns how to stop. */
export function catchLost(): () => void {
  if (users++ === 0) process.on('uncaughtException', onUncaught)
  let stopped = false
  return () => {
    if (stopped) return
    stopped = true
    if (--users === 0) process.off('uncaughtException', onUncaught)
  }
}

function onUncaught(error: unknown): void {
  const onError = connection.getStore()
  if (onError) onError(error)
  // Without this listener Node would print the error and exit; another listener may decide otherwise.
  else if (process.listenerCount('uncaughtException') === 1) throw error
}
