/* One approval from its signal to its terminal report, at a venue WITHOUT idempotency. Each role is a loop of guarded
 * commands: one command is atomic, and a crash may come between any two. WITHOUT_X takes protection X away, PROBE_X
 * asserts that a good end is never reached: README.md explains each. What follows `--` is the code's name.
 */

#define EXPIRES 2    /* permits are issued before this                          -- ApprovedIntent.expires_at */
#define LIFE    1    /* the venue takes a token until permit + LIFE, on its clock  -- token_life_seconds */
#define SKEW    1    /* which may be that far behind ours                       -- clock_bound_seconds */
#define VISIBLE 1    /* its lists have an order at most that long after it was taken  -- visibility_seconds */
#define END     7    /* later than any fence: the clock stops */
#ifndef CRASHES
#define CRASHES 3    /* of gate and executor together */
#endif

mtype = { IDLE, POSTING, WAITING };                                 /* what the executor's process does */
mtype = { NEW, SUBMITTING, OPEN, UNKNOWN, FILLED, REJECTED, DEAD };  /* what its journal says of the order */
mtype = { UP, DOWN, CLAIMING };                                     /* what the gate's process does */
mtype = { NOTHING, CREATED, REFUSED, NO_PERMIT, OLD_PERMIT, ERROR }; /* answers to a create */

byte now;

/* The gate's journal, then its memory. */
byte approvals, permit_at;
bit voided, permitted, answered, killed, over, is_of_old_epoch;
mtype gate = UP; bit was_refused, tail;
chan to_sign = [2] of { bit, byte };                                /* permit on disk, nothing sent yet: mine, since */

/* The bus: what it stores stays, but acks may be forgotten. */
bit is_publishing, stored, report;

/* The executor's journal, then its memory. */
mtype order = NEW;
byte permit_before; bit said;
mtype at = IDLE, answer = NOTHING;
bit is_listing, was_seen; byte started, listed_at;

/* The wire: the executor's request, and a repetition (another executor, a replay) whose answer it does not hear. */
bit request, repetition, has_repeated;
chan to_venue = [2] of { bit, byte };                               /* mine, the token's expiry */
chan from_venue = [2] of { mtype, bit };

/* The venue. */
mtype venue = NEW;
byte venue_orders, accepted_at;
bit is_visible;

/* For the properties alone. */
byte permits, counted, crashes;
bit latched, acknowledged, was_unknown;

#define IS_OVER(it) (it == FILLED || it == REJECTED || it == DEAD)

inline reply(mine, what) {                                          /* heard by whoever still waits */
  if :: mine && at == WAITING -> answer = what :: else fi
}

inline permit(mine) {                                               /* -- risk_gate PermitDesk.ask, domain.permits */
  if
#ifdef WITHOUT_OLD_PERMIT_FIRST
  :: permitted && (killed || now >= EXPIRES || over) -> reply(mine, NO_PERMIT)
#endif
#ifndef WITHOUT_PERMIT_ONCE
  :: permitted -> reply(mine, OLD_PERMIT)                           /* alone of all refusals: the order may live */
#endif
  :: !permitted -> was_refused = 1; reply(mine, NO_PERMIT)          /* price, state, budget, or one of these: */
  ::
#ifndef WITHOUT_PERMIT_ONCE
     !permitted &&
#endif
#ifndef WITHOUT_KILL_CHECK
     !killed &&
#endif
#ifndef WITHOUT_EXPIRY_CHECK
     now < EXPIRES &&
#endif
#ifndef WITHOUT_EPOCH_CHECK
     !is_of_old_epoch &&
#endif
#ifndef WITHOUT_FINAL_REFUSAL
     !was_refused &&
#endif
     stored && !voided && !over ->
     assert(!latched);                                              /* NO PERMIT AFTER THE KILL */
     permitted = 1; answered = 0; permit_at = now; permits++;
     assert(permits == 1);                                          /* ONE PERMIT PER APPROVAL, EVER */
     to_sign!mine,now
  fi
}

active proctype Gate() {
  bit mine; byte since; mtype what = NOTHING;
  do
  :: atomic { gate == UP && now == 0 &&
#ifndef WITHOUT_SIGNAL_DEDUPE
       approvals == 0 &&
#endif
       true -> approvals++; is_publishing = 1;    /* -- Verdicts.give: journal first, then the bus */
       assert(approvals == 1) }                                     /* ONE APPROVAL PER SIGNAL */
  :: atomic { gate == UP && request -> request = 0; permit(1) }
  :: atomic { gate == UP && repetition -> repetition = 0; permit(0) }
  :: atomic { gate == UP && len(to_sign) > 0 && len(to_venue) < 2 -> to_sign?mine,since;  /* -- Creates._forward */
#ifdef WITHOUT_TOKEN_LIFE_FROM_PERMIT
       since = now;                                                 /* but the process may have slept since the permit */
#endif
       to_venue!mine,(since + LIFE); mine = 0; since = 0 }
#ifdef WITHOUT_ONE_POST
  :: atomic { gate == UP && permitted && !answered && now < EXPIRES && len(to_venue) == 0 -> to_venue!1,(permit_at + LIFE) }
#endif
  :: atomic { gate == UP && len(from_venue) > 0 -> from_venue?what,mine;      /* -- PermitDesk.answered */
       answered = (what != ERROR); reply(mine, what); mine = 0; what = NOTHING }
  :: atomic { gate == UP && !killed -> killed = 1; latched = 1 }    /* the operator, often never -- RiskGate.on_kill */
  :: atomic {
#ifndef WITHOUT_DRAIN
       (!permitted || answered || over || now > permit_at + LIFE + SKEW) &&   /* -- OrderStop._drained */
#endif
       gate == UP && killed && !acknowledged -> acknowledged = 1 }
  :: atomic { gate == UP && report -> if :: report = 0 :: skip fi; if  /* an ack may be forgotten -- .on_order: revisions */
       :: !over -> over = 1; counted++
#ifdef WITHOUT_REPORT_DEDUPE
       :: over -> counted++
#endif
       :: over
       fi; assert(counted == 1) }                                   /* ONE END PER APPROVAL COUNTS */
  :: atomic { crashes < CRASHES -> crashes++; gate = DOWN; was_refused = 0; request = 0; repetition = 0;
       do :: to_sign?_,_ :: len(to_sign) == 0 -> break od;
       do :: from_venue?_,_ :: len(from_venue) == 0 -> break od;
#ifdef WITHOUT_PERMIT_ON_DISK
       permitted = 0;
#endif
#ifdef WITHOUT_KILL_ON_DISK
       killed = 0;
#endif
     }
  :: atomic { gate == DOWN -> tail = stored; gate = CLAIMING;       /* -- Startup._compared_tail */
#ifdef WITHOUT_CLAIM_BEFORE_VOID
       if :: approvals > 0 && !stored -> voided = 1 :: else fi
#endif
     }
  :: atomic { gate == CLAIMING -> if                                /* -- Startup._claim: compare and set */
       :: tail != stored -> gate = DOWN; tail = 0
       :: else -> is_publishing = 0; gate = UP; tail = 0; is_of_old_epoch = (approvals > 0);  /* the bus refuses late writers */
          if :: approvals > 0 && !stored -> voided = 1 :: else fi
       fi }
  od
}

active proctype Bus() {
  do :: atomic { is_publishing -> is_publishing = 0; stored = 1; assert(!voided) } od  /* late: its gate may be dead */
}

inline learn(what, latest) {                                        /* -- executor domain.submission.classify */
  order = what; at = IDLE; answer = NOTHING;
  permit_before = (latest < EXPIRES -> latest : EXPIRES);
  was_unknown = was_unknown || what == UNKNOWN
}

active proctype Executor() {
  do
  :: atomic { stored && order == NEW && at == IDLE -> if            /* -- Intake._take; a redelivery finds it taken */
       :: order = DEAD                                              /* expired, halted, stopping: never sent */
       :: now < EXPIRES -> at = POSTING;
#ifndef WITHOUT_JOURNAL_BEFORE_SEND
          order = SUBMITTING
#endif
       fi }
  :: atomic { at == POSTING -> at = WAITING; request = 1 }          /* -- Placer._attempt, CoinbaseExchange.create */
  :: atomic { at == WAITING && !has_repeated -> has_repeated = 1; repetition = 1 }
  :: atomic { answer == CREATED -> learn(OPEN, now) }
  :: atomic { answer == REFUSED -> learn(REJECTED, now) }
  :: atomic { answer == NO_PERMIT -> learn(DEAD, now) }
  :: atomic { answer == OLD_PERMIT || answer == ERROR -> learn(UNKNOWN, now) }
#ifdef WITHOUT_DOUBT
  :: atomic { at == WAITING && answer == NOTHING -> learn(DEAD, EXPIRES) }
#else
  :: atomic { at == WAITING && answer == NOTHING -> learn(UNKNOWN, EXPIRES) }  /* silence */
#endif
  :: atomic { order == UNKNOWN && !is_listing && (is_visible || now > listed_at) ->  /* -- Reconciler.resolve */
       is_listing = 1; started = now; listed_at = now; was_seen = is_visible }
  :: atomic { is_listing -> is_listing = 0;
#ifdef WITHOUT_FENCE_FROM_LISTINGS_START
       started = now;
#endif
       if                                                           /* -- executor domain.venue.Fence.passed */
       :: order == UNKNOWN && was_seen -> order = OPEN
#ifdef WITHOUT_EXPIRY_IN_FENCE
       :: order == UNKNOWN && !was_seen && started > permit_before -> order = DEAD
#elif defined(WITHOUT_MARGIN_IN_FENCE)
       :: order == UNKNOWN && !was_seen && started > permit_before + LIFE -> order = DEAD
#else
       :: order == UNKNOWN && !was_seen && started > permit_before + LIFE + SKEW + VISIBLE -> order = DEAD
#endif
       :: else
       fi; started = 0; was_seen = 0;
       assert(order != DEAD || venue_orders == 0) }
  :: atomic { order == OPEN && venue == FILLED -> order = FILLED }  /* -- Follower._refresh */
  :: atomic { IS_OVER(order) && !said -> said = 1; report = 1 }      /* -- Reporter: stored on the bus, then noted */
  :: atomic { crashes < CRASHES -> crashes++; at = IDLE; answer = NOTHING; is_listing = 0; listed_at = 0;
       if :: order == SUBMITTING -> learn(UNKNOWN, EXPIRES) :: else fi }  /* -- Placer.give_up_interrupted */
  od
}

active proctype Venue() {
  bit mine; byte expiry;
  do
  :: atomic { len(to_venue) > 0 && len(from_venue) < 2 -> to_venue?mine,expiry; if
       :: now <= expiry + SKEW -> venue = OPEN; venue_orders++; accepted_at = now;
          assert(venue_orders == 1);                                /* NEVER TWO VENUE ORDERS OF ONE APPROVAL */
          assert(permits == 1 && stored);                           /* NONE WITHOUT AN APPROVAL AND A PERMIT */
          assert(order != DEAD && order != REJECTED && !voided);    /* WHAT WAS DECLARED DEAD IS NEVER AT THE VENUE */
          assert(!acknowledged);                                    /* NO ORDER AFTER AN ACKNOWLEDGED KILL */
          if :: from_venue!CREATED,mine :: from_venue!ERROR,mine :: skip fi  /* answers, 500, drops the connection */
       :: from_venue!REFUSED,mine                                   /* for good; an expired token always */
       :: from_venue!ERROR,mine
       :: skip
       fi; mine = 0; expiry = 0 }
  :: atomic { venue_orders > 0 && !is_visible -> is_visible = 1; accepted_at = 0 }
  :: atomic { venue == OPEN -> venue = FILLED }                      /* as any ending at the venue: expired, canceled */
  od
}

active proctype Clock() {                                           /* waits for an order that must be visible by now */
  do :: atomic { now < END && (venue_orders == 0 || is_visible || now < accepted_at + VISIBLE) -> now++ } od
}

active proctype Rest() {                                            /* NOTHING CAN HAPPEN ANY MORE: ALL BOOKS AGREE */
  timeout -> assert(!stored || (IS_OVER(order) && over && counted == 1));
  assert(venue_orders > 0 -> order == venue : (order == DEAD || order == REJECTED || !stored));
  assert(!voided || (!stored && !permitted))
}

#ifdef PROBE_FILLED
#define GOOD_END (order == FILLED && counted == 1 && !was_unknown)
#elif defined(PROBE_FOUND_AFTER_CRASHES)
#define GOOD_END (order == FILLED && was_unknown && counted == 1 && crashes == CRASHES)
#elif defined(PROBE_DEAD_THOUGH_PERMITTED)
#define GOOD_END (order == DEAD && permitted && counted == 1)
#elif defined(PROBE_KILLED_BEFORE_SENDING)
#define GOOD_END (order == DEAD && !permitted && acknowledged && counted == 1 && now < EXPIRES)
#elif defined(PROBE_KILLED_AFTER_FILL)
#define GOOD_END (order == FILLED && acknowledged && counted == 1)
#elif defined(PROBE_REJECTED)
#define GOOD_END (order == REJECTED && counted == 1)
#elif defined(PROBE_VOIDED)
#define GOOD_END (voided && gate == UP)
#else
#define GOOD_END false
#endif
active proctype Probe() { atomic { GOOD_END -> assert(false) } }
