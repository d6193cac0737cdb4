// What a consumer does with each freezer reading: tells whoever watches about the warm ones, and refuses what is no reading.

/** What a handler gets; `group` is the tenant, `key` is the same for two copies of one reading. */
interface Item {
  readonly key: string
  readonly group: string
  readonly body: Uint8Array
  /** How often it was tried, this time included. */
  readonly receives: number
}

/** Thrown for what can never succeed; the reason is what an operator reads in `weir dlq ls`. */
class PermanentFailure extends Error {
  override readonly name = 'PermanentFailure'
  readonly reason: string

  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

const warmAbove = -15

/** Resolving removes the message. Anything but a PermanentFailure makes it come again, later each time. */
export default async function handle({ key, group, body }: Item, _signal: AbortSignal): Promise<void> {
  const temperature = temperatureOf(body)
  if (temperature > warmAbove) process.stdout.write(`${JSON.stringify({ tenant: group, temperature, key })}\n`)
}

function temperatureOf(body: Uint8Array): number {
  let reading: unknown
  try {
    reading = JSON.parse(Buffer.from(body).toString())
  } catch {
    throw new PermanentFailure('the body is not JSON')
  }
  if (typeof reading === 'object' && reading !== null && 'temperature' in reading && typeof reading.temperature === 'number') {
    return reading.temperature
  }
  throw new PermanentFailure('the reading has no temperature')
}
