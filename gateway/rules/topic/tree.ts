// The filters of rules in a trie, with the answers for recent topics in a cache.
import { createTopicTrie } from '../../../lib/topic-trie.ts'

export interface TopicTree<T> {
  /** The filter must be valid. The same value may be added under several filters. */
  add(filter: string, value: T): void
  /** The values of every filter that covers the topic. Do not change the array. */
  match(topic: string): readonly T[]
}

/** The cache is emptied when it is full: topics that clients invent cannot fill memory. */
const maxCachedTopics = 4_096

export function createTopicTree<T>(): TopicTree<T> {
  const trie = createTopicTrie<T>({ hashCoversParent: false })
  const cache = new Map<string, readonly T[]>()
  return {
    add(filter, value) {
      cache.clear()
      trie.add(filter, value)
    },
    match(topic) {
      const known = cache.get(topic)
      if (known !== undefined) return known
      const found = trie.match(topic)
      if (cache.size >= maxCachedTopics) cache.clear()
      cache.set(topic, found)
      return found
    },
  }
}
