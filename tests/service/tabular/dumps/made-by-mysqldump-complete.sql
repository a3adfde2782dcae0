/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: forum
-- ------------------------------------------------------
-- Server version	10.11.19-MariaDB-0+deb12u1

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;

--
-- Table structure for table `flags`
--

DROP TABLE IF EXISTS `flags`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `flags` (
  `id` int(11) NOT NULL,
  `reporter` varchar(40) DEFAULT NULL,
  `post_id` bigint(20) DEFAULT NULL,
  `author` varchar(40) DEFAULT NULL,
  `created_at` datetime DEFAULT NULL,
  `reason` text DEFAULT NULL,
  `raw` varbinary(20) DEFAULT NULL,
  `done` tinyint(1) DEFAULT NULL,
  `score` double DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `flags`
--

LOCK TABLES `flags` WRITE;
/*!40000 ALTER TABLE `flags` DISABLE KEYS */;
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (1,'user0',500,'writer0','2026-10-01 08:30:00','it\'s \"so\"',0x00FF2700,0,0);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (2,'user1',501,'writer1','2026-10-01 15:30:00','a;b, (c)',0x00FF2701,1,0.3333333333333333);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (3,'user2',502,'writer2','2026-10-01 22:30:00','back\\slash \\\' end\\',0x00FF2702,0,0.6666666666666666);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (4,'user3',503,'writer3','2026-10-02 05:30:00','two\nlines\r\nand	tab',0x00FF2703,1,1);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (5,'user4',504,'writer4','2026-10-02 12:30:00','-- no remark /* */',0x00FF2704,0,1.3333333333333333);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (6,'user5',505,'writer0','2026-10-02 19:30:00','`x` $$',0x00FF2705,1,1.6666666666666667);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (7,'user6',506,'writer1','2026-10-03 02:30:00','Grüße 👍',0x00FF2706,0,2);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (8,'user0',507,'writer2','2026-10-03 09:30:00',NULL,0x00FF2707,1,2.3333333333333335);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (9,'user1',508,'writer3','2026-10-03 16:30:00','it\'s \"so\"',0x00FF2708,0,2.6666666666666665);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (10,'user2',509,'writer4','2026-10-03 23:30:00','a;b, (c)',0x00FF2709,1,3);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (11,'user3',510,'writer0','2026-10-04 06:30:00','back\\slash \\\' end\\',0x00FF270A,0,3.3333333333333335);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (12,'user4',500,'writer0','2026-10-04 13:30:00','two\nlines\r\nand	tab',0x00FF270B,1,3.6666666666666665);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (13,'user5',501,'writer1','2026-10-04 20:30:00','-- no remark /* */',0x00FF270C,0,4);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (14,'user6',502,'writer2','2026-10-05 03:30:00','`x` $$',0x00FF270D,1,4.333333333333333);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (15,'user0',503,'writer3','2026-10-05 10:30:00','Grüße 👍',0x00FF270E,0,4.666666666666667);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (16,'user1',504,'writer4','2026-10-05 17:30:00',NULL,0x00FF270F,1,5);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (17,'user2',505,'writer0','2026-10-06 00:30:00','it\'s \"so\"',0x00FF2710,0,5.333333333333333);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (18,'user3',506,'writer1','2026-10-06 07:30:00','a;b, (c)',0x00FF2711,1,5.666666666666667);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (19,'user4',507,'writer2','2026-10-06 14:30:00','back\\slash \\\' end\\',0x00FF2712,0,6);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (20,'user5',508,'writer3','2026-10-06 21:30:00','two\nlines\r\nand	tab',0x00FF2713,1,6.333333333333333);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (21,'user6',509,'writer4','2026-10-07 04:30:00','-- no remark /* */',0x00FF2714,0,6.666666666666667);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (22,'user0',510,'writer0','2026-10-07 11:30:00','`x` $$',0x00FF2715,1,7);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (23,'user1',500,'writer0','2026-10-07 18:30:00','Grüße 👍',0x00FF2716,0,7.333333333333333);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (24,'user2',501,'writer1','2026-10-08 01:30:00',NULL,0x00FF2717,1,7.666666666666667);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (25,'user3',502,'writer2','2026-10-08 08:30:00','it\'s \"so\"',0x00FF2718,0,8);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (26,'user4',503,'writer3','2026-10-08 15:30:00','a;b, (c)',0x00FF2719,1,8.333333333333334);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (27,'user5',504,'writer4','2026-10-08 22:30:00','back\\slash \\\' end\\',0x00FF271A,0,8.666666666666666);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (28,'user6',505,'writer0','2026-10-09 05:30:00','two\nlines\r\nand	tab',0x00FF271B,1,9);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (29,'user0',506,'writer1','2026-10-09 12:30:00','-- no remark /* */',0x00FF271C,0,9.333333333333334);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (30,'user1',507,'writer2','2026-10-09 19:30:00','`x` $$',0x00FF271D,1,9.666666666666666);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (31,'user2',508,'writer3','2026-10-10 02:30:00','Grüße 👍',0x00FF271E,0,10);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (32,'user3',509,'writer4','2026-10-10 09:30:00',NULL,0x00FF271F,1,10.333333333333334);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (33,'user4',510,'writer0','2026-10-10 16:30:00','it\'s \"so\"',0x00FF2720,0,10.666666666666666);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (34,'user5',500,'writer0','2026-10-10 23:30:00','a;b, (c)',0x00FF2721,1,11);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (35,'user6',501,'writer1','2026-10-11 06:30:00','back\\slash \\\' end\\',0x00FF2722,0,11.333333333333334);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (36,'user0',502,'writer2','2026-10-11 13:30:00','two\nlines\r\nand	tab',0x00FF2723,1,11.666666666666666);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (37,'user1',503,'writer3','2026-10-11 20:30:00','-- no remark /* */',0x00FF2724,0,12);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (38,'user2',504,'writer4','2026-10-12 03:30:00','`x` $$',0x00FF2725,1,12.333333333333334);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (39,'user3',505,'writer0','2026-10-12 10:30:00','Grüße 👍',0x00FF2726,0,12.666666666666666);
INSERT INTO `flags` (`id`, `reporter`, `post_id`, `author`, `created_at`, `reason`, `raw`, `done`, `score`) VALUES (40,'user4',506,'writer1','2026-10-12 17:30:00',NULL,0x00FF2727,1,13);
/*!40000 ALTER TABLE `flags` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `users`
--

DROP TABLE IF EXISTS `users`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `users` (
  `id` int(11) NOT NULL,
  `name` varchar(40) DEFAULT NULL,
  `bio` text DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `users`
--

LOCK TABLES `users` WRITE;
/*!40000 ALTER TABLE `users` DISABLE KEYS */;
INSERT INTO `users` (`id`, `name`, `bio`) VALUES (0,'u0','it\'s \"so\"');
INSERT INTO `users` (`id`, `name`, `bio`) VALUES (1,'u1','a;b, (c)');
INSERT INTO `users` (`id`, `name`, `bio`) VALUES (2,'u2','back\\slash \\\' end\\');
INSERT INTO `users` (`id`, `name`, `bio`) VALUES (3,'u3','two\nlines\r\nand	tab');
INSERT INTO `users` (`id`, `name`, `bio`) VALUES (4,'u4','-- no remark /* */');
/*!40000 ALTER TABLE `users` ENABLE KEYS */;
UNLOCK TABLES;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed on 2026-11-30 11:30:01
