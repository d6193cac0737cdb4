// Runs cases against a gateway, many at a time, beside two witnesses.
import type { Case } from './cases/case.ts'
import type { Announced } from './client-packets.ts'
import { open } from './connection.ts'
import { type Judged, judged, play } from './play.ts'
import { keyOf, startWitness, type Witness } from './witness.ts'
import * as write from './write.ts'

export interface RunResult {
  readonly count: number
  readonly failures: readonly string[]
}

/** As the gateway announces with its default limits. */
const announced: Announced = { topicAliasMaximum: 8 }
const connections = 64
/** Cases between two looks at the witnesses. */
const batchSize = 500

export async function run(port: number, cases: readonly Case[]): Promise<RunResult> {
  const all = cases.map((one) => judged(one, announced))
  const failures: string[] = []
  const witnesses = [await startWitness(port, 4), await startWitness(port, 5)]
  try {
    for (let i = 0; i < all.length; i += batchSize) {
      const batch = all.slice(i, i + batchSize)
      failures.push(...(await playAll(port, batch)))
      await probe(port, witnesses)
    }
    for (const witness of witnesses) failures.push(...(await findings(witness, all)))
  } catch (error) {
    failures.push((error as Error).message)
  } finally {
    for (const witness of witnesses) witness.stop()
  }
  return { count: all.length, failures }
}

async function playAll(port: number, batch: readonly Judged[]): Promise<readonly string[]> {
  const failures: string[] = []
  const queue = batch.values()
  const worker = async () => {
    for (const one of queue) {
      const wrong = await play(port, one)
      if (wrong) failures.push(`${one.name}: ${wrong}\n    ${hexOf(one)}`)
    }
  }
  await Promise.all(Array.from({ length: connections }, worker))
  return failures
}

const hexOf = ({ connect, packets }: Case) => [connect, ...(packets ? [packets] : [])].map((bytes) => bytes.toString('hex')).join(' | ')

/** A message from a third client still reaches the witnesses. */
async function probe(port: number, witnesses: readonly Witness[]): Promise<void> {
  const publisher = open(port, 4)
  const payload = write.unique('probe')
  publisher.write(write.connect(4))
  await publisher.when(() => publisher.packets.length > 0)
  publisher.write(write.publish(4, { topic: 'probe', payload }))
  await publisher.when(() => publisher.packets.some(({ name }) => name === 'PUBACK'))
  publisher.destroy()
  for (const witness of witnesses) await witness.has(payload)
}

/** What a witness got too little, too often, or should not have got. */
async function findings(witness: Witness, all: readonly Judged[]): Promise<readonly string[]> {
  const { version, received } = witness
  const keysOf = (which: 'forwarded' | 'optional') =>
    new Set(all.flatMap(({ verdict }) => verdict[which].map((one) => keyOf(one, version))))
  const [due, optional] = [keysOf('forwarded'), keysOf('optional')]
  await witness.hasAll(due)
  const who = `the witness of MQTT ${version}`
  const problem = witness.problem()
  const isProbe = (key: string) => key.startsWith('["probe"')
  return [
    ...(problem ? [`${who}: ${problem}`] : []),
    ...[...due].filter((key) => !received.has(key)).map((key) => `${who} did not get ${key}${originOf(key, all)}`),
    ...[...received.keys()]
      .filter((key) => !due.has(key) && !optional.has(key) && !isProbe(key))
      .map((key) => `${who} got ${key}, which nobody may send${originOf(key, all)}`),
  ]
}

/** The case that has the payload in its bytes. */
function originOf(key: string, all: readonly Judged[]): string {
  const payload = (JSON.parse(key) as readonly [string, string])[1]
  const one = payload.length < 8 ? undefined : all.find((one) => hexOf(one).includes(payload))
  return one ? `\n    from ${one.name}: ${hexOf(one)}` : ''
}
