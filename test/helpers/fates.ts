// Answers of SQS and SNS to a batch, from the fate a test decided for each body.
import type { Fate } from '../contract/sink.ts'

export async function toBatchAnswer(bodies: readonly (string | undefined)[], decide: (body: string) => Promise<Fate>) {
  const fates = await Promise.all(bodies.map((body) => decide(body ?? '')))
  const Failed = fates.flatMap((fate, index) =>
    fate === 'accept' ? [] : [{ Id: String(index), Code: 'AsTheTestWants', SenderFault: fate === 'refuse' }],
  )
  return { Failed }
}
