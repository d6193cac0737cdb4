// SIGINT and SIGTERM: the first one asks a command to stop in good order, the second one ends the process at once.

/** The command was stopped before it had a result. `exitCode` is 128 + the number of the signal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`stopped by ${signal} before it was done`)
    this.exitCode = signal === 'SIGINT' ? 130 : 143
  }
}

const running = new Set<AbortController>()

/** Runs with a signal that the first SIGINT or SIGTERM aborts with an `Interrupted`. */
export async function withStopSignal<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const onSignal = (name: 'SIGINT' | 'SIGTERM') => {
    const reason = new Interrupted(name)
    if (stop.signal.aborted) process.exit(reason.exitCode)
    stop.abort(reason)
  }
  running.add(stop)
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    return await run(stop.signal)
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    running.delete(stop)
  }
}

/** Stops the running command as SIGTERM does. false: no command waits for a stop. */
export function requestStop(): boolean {
  for (const stop of running) stop.abort(new Interrupted('SIGTERM'))
  return running.size > 0
}

/** Settles as `work` does, or rejects with the signal's reason as soon as the signal aborts. The work itself goes on. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => undefined)
    return Promise.reject(signal.reason)
  }
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
