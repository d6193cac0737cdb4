// The subscriptions of clients: which of them a topic reaches.
import { createTopicTrie, type TopicTrie } from '../../lib/topic-trie.ts'
import { levelBytes } from './memory.ts'

export type Subscriptions<T> = TopicTrie<T>

/** `grown` is called with the bytes of memory that levels take, negative when they are released. */
export function createSubscriptions<T>(grown: (bytes: number) => void = () => {}): Subscriptions<T> {
  return createTopicTrie({ hashCoversParent: true, onLevel: (level, change) => grown(change * levelBytes(level)) })
}
