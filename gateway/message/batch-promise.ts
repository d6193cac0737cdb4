// The promise that the messages of one commit batch share.

/**
 * Resolves when a message is durable, or rejects when it is refused.
 *
 * All messages that become durable with one write and sync get the same promise object. Callers compare promises with `===`, and
 * attach one reaction for all messages of a batch: the throughput of acknowledgements depends on it. Messages of a batch are
 * consecutive, and the reactions to a promise run in the order of the calls. A promise for a single message is a batch of one: it is
 * correct, but takes a reaction of its own.
 */
export type BatchPromise = Promise<void>
