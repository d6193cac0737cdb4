// Results in the order of their calls, however the work in between overtakes itself.

/**
 * Each call's promise settles after every earlier call's promise has settled.
 * The work itself is not delayed: only its outcome waits for its elders [MQTT-4.6.0-2].
 */
export function createInOrder(): <T>(work: Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const elders = last
    const settled = work.then(
      async (value) => {
        await elders
        return value
      },
      async (error) => {
        await elders
        throw error
      },
    )
    last = settled.catch(() => undefined)
    return settled
  }
}
