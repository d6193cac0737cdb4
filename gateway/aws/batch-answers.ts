// What the answer to a batch call of SQS or SNS says of each entry. Silence is no acceptance: an answer may come from something that is no queue.

export interface FailedEntry {
  readonly Id?: string | undefined
  readonly Code?: string | undefined
  readonly Message?: string | undefined
  readonly SenderFault?: boolean | undefined
}

/** Some emulators write `null` for an empty list. */
export interface BatchAnswer {
  readonly Successful?: readonly { readonly Id?: string | undefined }[] | null | undefined
  readonly Failed?: readonly FailedEntry[] | null | undefined
}

const silence: FailedEntry = { Code: 'NoAnswer', Message: 'the answer does not speak of it' }

/** For entries whose ids are their places: undefined where it was accepted, else the error. */
export function outcomesOf<E>(answer: BatchAnswer, count: number, toError: (entry: FailedEntry) => E): readonly (E | undefined)[] {
  const said = new Map<string | undefined, FailedEntry | undefined>()
  for (const { Id } of answer.Successful ?? []) said.set(Id, undefined)
  for (const entry of answer.Failed ?? []) said.set(entry.Id, entry)
  return Array.from({ length: count }, (_, place) => {
    const id = String(place)
    const failed = said.has(id) ? said.get(id) : silence
    return failed && toError(failed)
  })
}
