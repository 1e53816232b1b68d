/* An intrusive doubly linked list: the links live in the objects, so nothing is allocated and an
 * object leaves its list in constant time without knowing it. The list head is a Link that
 * points to itself when empty. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct Link {
    struct Link *next, *prev;
} Link;

static inline void list_init(Link *head) {
    head->next = head->prev = head;
}

static inline bool list_empty(const Link *head) {
    return head->next == head;
}

static inline void list_insert_after(Link *at, Link *link) {
    link->prev = at;
    link->next = at->next;
    at->next->prev = link;
    at->next = link;
}

static inline void list_push_front(Link *head, Link *link) {
    list_insert_after(head, link);
}

static inline void list_push_back(Link *head, Link *link) {
    list_insert_after(head->prev, link);
}

/* Takes the link out of its list and leaves it pointing to itself, so that removing twice is
 * harmless. */
static inline void list_remove(Link *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* The first link, taken out; NULL when the list is empty. */
static inline Link *list_pop_front(Link *head) {
    Link *first = head->next;
    if (first == head)
        return NULL;
    list_remove(first);
    return first;
}

/* The object that holds a link: CONTAINER(link, Timer, link). */
#define CONTAINER(pointer, Type, member) ((Type *)((char *)(pointer)-offsetof(Type, member)))

/* Walks the links; the current one may be removed inside the loop. */
#define LIST_EACH(head, link)                                                                      \
    for (Link *link = (head)->next, *link##_next = link->next; link != (head);                     \
         link = link##_next, link##_next = link->next)
