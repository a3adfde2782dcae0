--
-- PostgreSQL database dump
--

\restrict 8wwAstncnsjtTDn90U0GcXplbFCaJNJboVDUG9uUkJSdns1eUhoNDAhdfsXwv57

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: flags; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.flags (
    id integer NOT NULL,
    reporter character varying(40),
    post_id bigint,
    author character varying(40),
    created_at timestamp without time zone,
    reason text,
    raw bytea,
    done boolean,
    score double precision
);


ALTER TABLE public.flags OWNER TO postgres;

--
-- Name: users; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.users (
    id integer NOT NULL,
    name character varying(40),
    bio text
);


ALTER TABLE public.users OWNER TO postgres;

--
-- Data for Name: flags; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.flags (id, reporter, post_id, author, created_at, reason, raw, done, score) VALUES
	(1, 'user0', 500, 'writer0', '2026-10-01 08:30:00', 'it''s "so"', '\x00ff2700', false, 0),
	(2, 'user1', 501, 'writer1', '2026-10-01 15:30:00', 'a;b, (c)', '\x00ff2701', true, 0.3333333333333333),
	(3, 'user2', 502, 'writer2', '2026-10-01 22:30:00', 'back\slash \'' end\', '\x00ff2702', false, 0.6666666666666666),
	(4, 'user3', 503, 'writer3', '2026-10-02 05:30:00', 'two
lines
and	tab', '\x00ff2703', true, 1),
	(5, 'user4', 504, 'writer4', '2026-10-02 12:30:00', '-- no remark /* */', '\x00ff2704', false, 1.3333333333333333),
	(6, 'user5', 505, 'writer0', '2026-10-02 19:30:00', '`x` $$', '\x00ff2705', true, 1.6666666666666667),
	(7, 'user6', 506, 'writer1', '2026-10-03 02:30:00', 'Grüße 👍', '\x00ff2706', false, 2);
INSERT INTO public.flags (id, reporter, post_id, author, created_at, reason, raw, done, score) VALUES
	(8, 'user0', 507, 'writer2', '2026-10-03 09:30:00', NULL, '\x00ff2707', true, 2.3333333333333335),
	(9, 'user1', 508, 'writer3', '2026-10-03 16:30:00', 'it''s "so"', '\x00ff2708', false, 2.6666666666666665),
	(10, 'user2', 509, 'writer4', '2026-10-03 23:30:00', 'a;b, (c)', '\x00ff2709', true, 3),
	(11, 'user3', 510, 'writer0', '2026-10-04 06:30:00', 'back\slash \'' end\', '\x00ff270a', false, 3.3333333333333335),
	(12, 'user4', 500, 'writer0', '2026-10-04 13:30:00', 'two
lines
and	tab', '\x00ff270b', true, 3.6666666666666665),
	(13, 'user5', 501, 'writer1', '2026-10-04 20:30:00', '-- no remark /* */', '\x00ff270c', false, 4),
	(14, 'user6', 502, 'writer2', '2026-10-05 03:30:00', '`x` $$', '\x00ff270d', true, 4.333333333333333);
INSERT INTO public.flags (id, reporter, post_id, author, created_at, reason, raw, done, score) VALUES
	(15, 'user0', 503, 'writer3', '2026-10-05 10:30:00', 'Grüße 👍', '\x00ff270e', false, 4.666666666666667),
	(16, 'user1', 504, 'writer4', '2026-10-05 17:30:00', NULL, '\x00ff270f', true, 5),
	(17, 'user2', 505, 'writer0', '2026-10-06 00:30:00', 'it''s "so"', '\x00ff2710', false, 5.333333333333333),
	(18, 'user3', 506, 'writer1', '2026-10-06 07:30:00', 'a;b, (c)', '\x00ff2711', true, 5.666666666666667),
	(19, 'user4', 507, 'writer2', '2026-10-06 14:30:00', 'back\slash \'' end\', '\x00ff2712', false, 6),
	(20, 'user5', 508, 'writer3', '2026-10-06 21:30:00', 'two
lines
and	tab', '\x00ff2713', true, 6.333333333333333),
	(21, 'user6', 509, 'writer4', '2026-10-07 04:30:00', '-- no remark /* */', '\x00ff2714', false, 6.666666666666667);
INSERT INTO public.flags (id, reporter, post_id, author, created_at, reason, raw, done, score) VALUES
	(22, 'user0', 510, 'writer0', '2026-10-07 11:30:00', '`x` $$', '\x00ff2715', true, 7),
	(23, 'user1', 500, 'writer0', '2026-10-07 18:30:00', 'Grüße 👍', '\x00ff2716', false, 7.333333333333333),
	(24, 'user2', 501, 'writer1', '2026-10-08 01:30:00', NULL, '\x00ff2717', true, 7.666666666666667),
	(25, 'user3', 502, 'writer2', '2026-10-08 08:30:00', 'it''s "so"', '\x00ff2718', false, 8),
	(26, 'user4', 503, 'writer3', '2026-10-08 15:30:00', 'a;b, (c)', '\x00ff2719', true, 8.333333333333334),
	(27, 'user5', 504, 'writer4', '2026-10-08 22:30:00', 'back\slash \'' end\', '\x00ff271a', false, 8.666666666666666),
	(28, 'user6', 505, 'writer0', '2026-10-09 05:30:00', 'two
lines
and	tab', '\x00ff271b', true, 9);
INSERT INTO public.flags (id, reporter, post_id, author, created_at, reason, raw, done, score) VALUES
	(29, 'user0', 506, 'writer1', '2026-10-09 12:30:00', '-- no remark /* */', '\x00ff271c', false, 9.333333333333334),
	(30, 'user1', 507, 'writer2', '2026-10-09 19:30:00', '`x` $$', '\x00ff271d', true, 9.666666666666666),
	(31, 'user2', 508, 'writer3', '2026-10-10 02:30:00', 'Grüße 👍', '\x00ff271e', false, 10),
	(32, 'user3', 509, 'writer4', '2026-10-10 09:30:00', NULL, '\x00ff271f', true, 10.333333333333334),
	(33, 'user4', 510, 'writer0', '2026-10-10 16:30:00', 'it''s "so"', '\x00ff2720', false, 10.666666666666666),
	(34, 'user5', 500, 'writer0', '2026-10-10 23:30:00', 'a;b, (c)', '\x00ff2721', true, 11),
	(35, 'user6', 501, 'writer1', '2026-10-11 06:30:00', 'back\slash \'' end\', '\x00ff2722', false, 11.333333333333334);
INSERT INTO public.flags (id, reporter, post_id, author, created_at, reason, raw, done, score) VALUES
	(36, 'user0', 502, 'writer2', '2026-10-11 13:30:00', 'two
lines
and	tab', '\x00ff2723', true, 11.666666666666666),
	(37, 'user1', 503, 'writer3', '2026-10-11 20:30:00', '-- no remark /* */', '\x00ff2724', false, 12),
	(38, 'user2', 504, 'writer4', '2026-10-12 03:30:00', '`x` $$', '\x00ff2725', true, 12.333333333333334),
	(39, 'user3', 505, 'writer0', '2026-10-12 10:30:00', 'Grüße 👍', '\x00ff2726', false, 12.666666666666666),
	(40, 'user4', 506, 'writer1', '2026-10-12 17:30:00', NULL, '\x00ff2727', true, 13);


--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.users (id, name, bio) VALUES
	(0, 'u0', 'it''s "so"'),
	(1, 'u1', 'a;b, (c)'),
	(2, 'u2', 'back\slash \'' end\'),
	(3, 'u3', 'two
lines
and	tab'),
	(4, 'u4', '-- no remark /* */');


--
-- Name: flags flags_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.flags
    ADD CONSTRAINT flags_pkey PRIMARY KEY (id);


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- PostgreSQL database dump complete
--

\unrestrict 8wwAstncnsjtTDn90U0GcXplbFCaJNJboVDUG9uUkJSdns1eUhoNDAhdfsXwv57

