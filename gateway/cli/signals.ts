// Ctrl-C and SIGTERM: the first asks a command to end in good order, the second ends it at once.

/** Resolves at the first SIGINT or SIGTERM; the second one ends the process. */
export function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let seen = false
    const onSignal = (signal: NodeJS.Signals) => {
      if (seen) process.exit(130)
      seen = true
      resolve(signal)
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
  })
}
